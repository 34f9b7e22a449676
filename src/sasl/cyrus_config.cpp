#include "sasl/cyrus_config.hpp"

#include "base/fd.hpp"
#include "base/nearest.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <unistd.h>

namespace ekiden::sasl {
namespace {

constexpr std::string_view usual_places[] = {
    "/etc/postfix/sasl", "/usr/lib/sasl",  "/etc/sasl2", "/etc/sasl", "/usr/lib/x86_64-linux-gnu/sasl2",
    "/usr/lib64/sasl2",  "/usr/lib/sasl2",
};
constexpr std::size_t longest_file = 1 << 20;

constexpr std::string_view password_checks[] = {"auxprop", "auxprop-hashed", "saslauthd", "authdaemond", "alwaystrue"};
// Mechanisms for which the password itself must be at hand: saslauthd only says yes or no to one it is shown.
constexpr std::string_view plain_mechanisms[] = {"PLAIN",    "LOGIN",      "ANONYMOUS",  "EXTERNAL",    "GSSAPI",
                                                 "GS2-KRB5", "GSS-SPNEGO", "GS2-IAKERB", "OAUTHBEARER", "XOAUTH2"};

bool contains(std::span<const std::string_view> list, std::string_view word)
{
    return std::ranges::any_of(list, [&](std::string_view known) { return base::equal_ignoring_case(known, word); });
}

// The options of smtpd.conf that most have; plug-ins have others.
constexpr std::string_view setting_names[] = {"pwcheck_method", "mech_list",         "auxprop_plugin",  "sasldb_path",
                                              "saslauthd_path", "canon_user_plugin", "auto_transition", "log_level"};
constexpr std::string_view auxprop_plugins[] = {"sasldb", "sql", "ldapdb"};

// ": is X meant?" for a word that is almost one of these, or "".
std::string is_meant(std::string_view word, std::span<const std::string_view> known)
{
    const std::string_view best = base::nearest(word, known, word.size() < 5 ? 1 : 2);
    return best.empty() ? std::string() : fmt::format(": is {} meant?", best);
}

}  // namespace

std::string cyrus_search_path(std::string_view config_directory, std::string_view cyrus_sasl_config_path)
{
    std::vector<std::string> directories;
    auto add = [&](std::string_view directory) {
        if (!directory.empty() && std::ranges::find(directories, directory) == directories.end())
            directories.emplace_back(directory);
    };
    for (const auto directory : base::split_any(cyrus_sasl_config_path, ":")) add(directory);
    add(std::string(config_directory) + "/sasl");
    for (const auto place : usual_places) add(place);
    return fmt::format("{}", fmt::join(directories, ":"));
}

std::optional<std::string> find_cyrus_config(std::string_view search_path, std::string_view application)
{
    for (const auto directory : base::split_any(search_path, ":")) {
        std::string path = fmt::format("{}/{}.conf", directory, application);
        if (::access(path.c_str(), R_OK) == 0) return path;
    }
    return std::nullopt;
}

const CyrusSetting* CyrusConfig::find(std::string_view name) const
{
    auto at = std::find_if(settings.rbegin(), settings.rend(), [&](const CyrusSetting& s) { return s.name == name; });
    return at == settings.rend() ? nullptr : &*at;
}

CyrusConfig parse_cyrus_config(std::string_view text, std::string path)
{
    CyrusConfig config{.path = std::move(path)};
    int number = 0;
    for (auto line : base::split(text, '\n')) {
        ++number;
        line = base::trim(line);
        if (line.empty() || line.starts_with('#')) continue;
        const std::size_t colon = line.find(':');
        const std::string_view name = line.substr(0, colon);
        const bool is_name = !name.empty() && std::ranges::all_of(name, [](char c) {
            return base::is_alnum(c) || c == '-' || c == '_';
        });
        if (colon == line.npos || !is_name) {
            config.bad_lines.push_back(number);
            continue;
        }
        config.settings.push_back({base::lower(name), std::string(base::trim(line.substr(colon + 1))), number});
    }
    return config;
}

Result<CyrusConfig> read_cyrus_config(const std::string& path)
{
    EKIDEN_TRY_VALUE(text, base::read_file(path, longest_file));
    return parse_cyrus_config(text, path);
}

std::vector<std::string> find_cyrus_problems(const CyrusConfig& config, const std::vector<std::string>& offered)
{
    std::vector<std::string> problems;
    auto add = [&](int line, std::string text) {
        problems.push_back(fmt::format("{}, line {}: {}", config.path, line, text));
    };
    for (const int line : config.bad_lines) add(line, "this is not NAME: VALUE; Cyrus SASL refuses the whole file");
    if (!problems.empty()) return problems;
    const CyrusSetting* check = config.find("pwcheck_method");
    bool asks_saslauthd = check != nullptr;
    if (check) {
        for (const auto method : base::split_any(check->value, " \t,")) {
            if (!contains(password_checks, method))
                add(check->line,
                    fmt::format("pwcheck_method: Cyrus SASL has no \"{}\"; every login will fail{}", method,
                                is_meant(method, password_checks)));
            asks_saslauthd = asks_saslauthd && base::equal_ignoring_case(method, "saslauthd");
        }
    }
    // Others may be installed; a word that is almost one of these is a slip.
    if (const CyrusSetting* plugins = config.find("auxprop_plugin")) {
        for (const auto name : base::split_any(plugins->value, " \t,")) {
            if (const std::string advice = is_meant(name, auxprop_plugins);
                !advice.empty() && !contains(auxprop_plugins, name))
                add(plugins->line, fmt::format("auxprop_plugin: Cyrus SASL has no \"{}\"{}", name, advice));
        }
    }
    for (const CyrusSetting& setting : config.settings) {
        if (const std::string advice = is_meant(setting.name, setting_names);
            !advice.empty() && !contains(setting_names, setting.name))
            add(setting.line, fmt::format("{} means nothing to Cyrus SASL{}", setting.name, advice));
    }
    if (const CyrusSetting* list = config.find("mech_list")) {
        for (const auto name : base::split_any(list->value, " \t,")) {
            const bool is_offered = std::ranges::any_of(
                offered, [&](const std::string& one) { return base::equal_ignoring_case(one, name); });
            if (!is_offered && !base::equal_ignoring_case(name, "EXTERNAL")) {
                add(list->line,
                    fmt::format(
                        "mech_list: mechanism {} is not available: no such plug-in, or it does not work (Debian: libsasl2-modules, Red Hat: cyrus-sasl-*)",
                        name));
            } else if (asks_saslauthd && !contains(plain_mechanisms, name)) {
                add(list->line,
                    fmt::format(
                        "mech_list: mechanism {} cannot work with pwcheck_method: saslauthd, which only knows PLAIN and LOGIN",
                        name));
            }
        }
    }
    return problems;
}

std::vector<std::string> find_cyrus_absences(const CyrusConfig& config, const std::string& root, std::string_view user)
{
    std::vector<std::string> problems;
    const CyrusSetting* check = config.find("pwcheck_method");
    const std::string_view methods = check ? std::string_view(check->value) : "auxprop";
    auto add = [&](const CyrusSetting* setting, std::string text) {
        problems.push_back(setting ? fmt::format("{}, line {}: {}", config.path, setting->line, text)
                                   : std::move(text));
    };
    for (const auto method : base::split_any(methods, " \t,")) {
        if (base::equal_ignoring_case(method, "saslauthd")) {
            const CyrusSetting* place = config.find("saslauthd_path");
            const std::string path = root + (place ? place->value : std::string("/var/run/saslauthd/mux"));
            if (::access(path.c_str(), W_OK) == 0) continue;
            add(place ? place : check,
                errno == EACCES
                    ? fmt::format("pwcheck_method: saslauthd: {} may not connect to {}, so every login will have to "
                                  "wait (Debian: adduser {} sasl, then postfix stop and start)",
                                  user, path, user)
                    : fmt::format(
                          "pwcheck_method: saslauthd: there is no socket {}: saslauthd does not run, or elsewhere",
                          path));
        } else if (base::equal_ignoring_case(method, "auxprop")) {
            const CyrusSetting* plugin = config.find("auxprop_plugin");
            if (plugin && !base::equal_ignoring_case(plugin->value, "sasldb")) continue;
            const CyrusSetting* place = config.find("sasldb_path");
            const std::string path = root + (place ? place->value : std::string("/etc/sasldb2"));
            if (::access(path.c_str(), R_OK) == 0) continue;
            add(place ? place : check,
                errno == EACCES ? fmt::format("pwcheck_method: auxprop: {} may not read the password database {}, so "
                                              "every login will have to wait (chgrp {} {}; chmod 640 {})",
                                              user, path, user, path, path)
                                : fmt::format("pwcheck_method: auxprop: there is no password database {} (saslpasswd2 "
                                              "-f {} -c -u DOMAIN USER makes one)",
                                              path, path));
        }
    }
    return problems;
}

}  // namespace ekiden::sasl
