// Cyrus SASL's own configuration, as far as mistakes in it can be named before anybody tries to log in: where
// APPLICATION.conf is looked for, what it says, and what of that cannot work. libsasl2 reads the file itself. Files are
// read at `postfix check`, start and reload; thread: any.
#pragma once

#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::sasl {

// Directories joined by colons, the first that has the file wins: cyrus_sasl_config_path, then what Debian's Postfix
// searches (/etc/postfix/sasl and /usr/lib/sasl; CONFIG_DIRECTORY/sasl stands before them for instances of their own), then
// the library's own places, among them /etc/sasl2, where Red Hat's Postfix finds it.
std::string cyrus_search_path(std::string_view config_directory, std::string_view cyrus_sasl_config_path);
std::optional<std::string> find_cyrus_config(std::string_view search_path, std::string_view application);

struct CyrusSetting {
    std::string name, value;
    int line = 0;
};
struct CyrusConfig {
    std::string path;
    std::vector<CyrusSetting> settings;
    std::vector<int> bad_lines;    // neither a comment nor NAME: VALUE: libsasl2 then refuses the whole file
    const CyrusSetting* find(std::string_view name) const;    // the last one counts
};
// As libsasl2 reads it: "name: value" lines, blanks before the name allowed, '#' comments.
CyrusConfig parse_cyrus_config(std::string_view text, std::string path);
Result<CyrusConfig> read_cyrus_config(const std::string& path);

// Each a sentence with file and line. `offered`: the mechanisms that libsasl2 has under these settings.
std::vector<std::string> find_cyrus_problems(const CyrusConfig& config, const std::vector<std::string>& offered);
// Files that logins will look for and that are not there, or that the caller may not use, for a server that calls
// `root` its "/": a chroot of which the site's password database or saslauthd's socket is no part. To be asked with the
// rights of `user`, who serves logins.
std::vector<std::string> find_cyrus_absences(const CyrusConfig& config, const std::string& root, std::string_view user);

}  // namespace ekiden::sasl
