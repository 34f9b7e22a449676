// master.cf: one ServiceSpec per entry, in file order. Thread: values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ekiden::config {

struct ServiceSpec {
    std::string name;        // first column as written: "smtp", "127.0.0.1:10025", "submission"
    std::string type;        // inet, unix, unix-dgram, fifo, pass
    bool is_private = true;
    bool is_unprivileged = true;
    bool is_chroot = false;
    std::string wakeup;      // as written: "-", "60", "1000?"
    std::string max_processes;   // as written: "-", "0", "1"
    std::string command;     // program name: "smtpd", "pipe", "smtp"
    std::vector<std::string> arguments;  // argv after the program, `{ … }` groups unwrapped, -o pairs included
    std::vector<std::pair<std::string, std::string>> overrides;  // the -o name=value pairs, in order
    int verbosity = 0;       // number of -v
    // The columns as written, for postconf -M: private, unprivileged, chroot ("-", "y", "n").
    std::string private_field, unprivileged_field, chroot_field;
    std::vector<std::string> raw_arguments;  // words after the program as written (braces kept)
    std::string file;
    int line = 0;                        // of the first column
    std::vector<int> override_lines;     // of each of `overrides`

    // The line on which the override stands; that of the service where nobody knows.
    int line_of(std::size_t override_index) const
    {
        return override_index < override_lines.size() ? override_lines[override_index] : line;
    }

    // max_processes, or `fallback` ($default_process_limit) for "-"; 0 = no limit.
    int process_limit(int fallback) const;
};

// Throws config::ConfigError with Postfix's text ("/etc/postfix/master.cf: line 12: bad transport type: …").
// `is_strict` false: keeps odd entries as they are (postconf -M).
std::vector<ServiceSpec> read_master_cf(const std::string& path, bool is_strict = true);
// Whether `master_service_disable` switches the service off: its words are types ("inet") or names with their type
// ("smtp/inet"; "smtp.inet" is the older form), the first that matches decides, and "!" in front of one keeps the service.
bool is_disabled(const ServiceSpec& service, std::string_view master_service_disable);

std::vector<ServiceSpec> parse_master_cf(std::string_view text, const std::string& path, bool is_strict = true);

}  // namespace ekiden::config
