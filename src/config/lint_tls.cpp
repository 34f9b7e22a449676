// TLS settings of the SMTP servers.
#include "base/fd.hpp"
#include "base/text.hpp"
#include "config/lint_services.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <expected>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace ekiden::config {

namespace {

constexpr std::size_t largest_file = 1 << 20;

struct Pair {
    std::string_view certificate, key;
};
constexpr std::array pairs{
    Pair{"smtpd_tls_cert_file", "smtpd_tls_key_file"},
    Pair{"smtpd_tls_dcert_file", "smtpd_tls_dkey_file"},
    Pair{"smtpd_tls_eccert_file", "smtpd_tls_eckey_file"},
};

// The text of a file, or errno.
std::expected<std::string, int> read_file(const std::string& path)
{
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) return std::unexpected(errno);
    std::string text(largest_file, '\0');
    const ssize_t got = ::read(file.get(), text.data(), text.size());
    if (got < 0) return std::unexpected(errno);
    text.resize(static_cast<std::size_t>(got));
    return text;
}

bool has_key(std::string_view text) { return text.find("PRIVATE KEY-----") != text.npos; }
bool has_certificate(std::string_view text)
{
    return text.find("-----BEGIN CERTIFICATE-----") != text.npos ||
           text.find("-----BEGIN TRUSTED CERTIFICATE-----") != text.npos;
}

bool begins_with_key(std::string_view text)
{
    return has_key(text) && text.find("PRIVATE KEY-----") < text.find("-----BEGIN CERTIFICATE-----");
}

// A path, or nothing where none is named.
std::string file_named(const Settings& own, std::string_view name)
{
    std::string path = own.str(name);
    return base::equal_ignoring_case(path, "none") ? std::string() : path;
}

std::string unreadable(std::string_view name, std::string_view path, int error)
{
    return fmt::format("{} = {}: {}", name, path, std::strerror(error));
}

void check_pair(const Settings& own, ServerLinter& linter, const Pair& pair)
{
    const std::string path = file_named(own, pair.certificate);
    if (path.empty()) return;
    const auto certificate = read_file(path);
    if (!certificate) {
        linter.warn(own, pair.certificate, unreadable(pair.certificate, path, certificate.error()));
        return;
    }
    if (!has_certificate(*certificate))
        linter.warn(own, pair.certificate,
                    fmt::format("{} = {}: there is no certificate in this file", pair.certificate, path));
    const std::string key_path = file_named(own, pair.key);
    if (key_path.empty() || key_path == path) {
        if (!has_key(*certificate))
            linter.warn(
                own, pair.certificate,
                fmt::format(
                    "{} = {}: a certificate without its private key: {} is not set, and the key is not in this file",
                    pair.certificate, path, pair.key));
        return;
    }
    const auto key = read_file(key_path);
    if (!key) linter.warn(own, pair.key, unreadable(pair.key, key_path, key.error()));
    else if (!has_key(*key))
        linter.warn(own, pair.key, fmt::format("{} = {}: there is no private key in this file", pair.key, key_path));
}

void check_chain(const Settings& own, ServerLinter& linter)
{
    bool is_first = true;
    for (const auto& path : own.list("smtpd_tls_chain_files")) {
        const auto text = read_file(path);
        if (!text) linter.warn(own, "smtpd_tls_chain_files", unreadable("smtpd_tls_chain_files", path, text.error()));
        else if (is_first && !begins_with_key(*text))
            linter.warn(
                own, "smtpd_tls_chain_files",
                fmt::format("smtpd_tls_chain_files: {} must begin with a private key, the certificates behind it",
                            path));
        is_first = false;
    }
}

void check_protocols(const Settings& own, ServerLinter& linter, std::string_view name)
{
    static constexpr Words known{"SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
    // "TLSv12" is as near to a protocol that nobody should speak any more.
    static constexpr Words proposed{"TLSv1.2", "TLSv1.3", "TLSv1.1"};
    for (std::string_view word : base::split_any(own.str(name), ", \t\r\n:")) {
        const std::string_view whole = word;
        if (word.starts_with('!')) word.remove_prefix(1);
        else if (word.starts_with(">=") || word.starts_with("<=")) {
            word.remove_prefix(2);
            // A number of a protocol, as OpenSSL has it.
            if (word.starts_with("0x") || (!word.empty() && std::ranges::all_of(word, base::is_digit))) continue;
        }
        if (is_one_of(word, known)) continue;
        linter.warn(own, name, fmt::format("{} = {}: unknown protocol \"{}\"", name, own.str(name), whole),
                    is_meant(word, proposed));
    }
}

void check_server(const Settings& own, ServerLinter& linter)
{
    const std::string level = own.str("smtpd_tls_security_level");
    static constexpr Words levels{"none", "may", "encrypt"};
    // A server takes some levels of clients for encrypt, and knows nothing of the others.
    static constexpr Words taken_for_encrypt{"fingerprint", "verify", "secure"};
    static constexpr Words of_clients{"dane", "dane-only", "half-dane"};
    if (!level.empty() && !is_one_of(level, levels)) {
        if (is_one_of(level, taken_for_encrypt))
            linter.warn(
                own, "smtpd_tls_security_level",
                fmt::format("smtpd_tls_security_level: unsupported TLS level \"{}\", using \"encrypt\"", level));
        else {
            linter.refuse(own, "smtpd_tls_security_level", fmt::format("Invalid TLS level \"{}\"", level),
                          is_one_of(level, of_clients) ? std::string() : is_meant(level, levels));
        }
    }
    const bool is_off = level.empty() ? !own.boolean("smtpd_use_tls") && !own.boolean("smtpd_enforce_tls")
                                      : base::equal_ignoring_case(level, "none");
    const bool is_wrapped = own.boolean("smtpd_tls_wrappermode");
    if (is_off && !is_wrapped) return;
    for (const std::string_view name : {"smtpd_tls_protocols", "smtpd_tls_mandatory_protocols"})
        check_protocols(own, linter, name);
    const bool has_chain = !own.list("smtpd_tls_chain_files").empty();
    if (has_chain) check_chain(own, linter);
    else
        for (const auto& pair : pairs) check_pair(own, linter, pair);
    const bool has_any =
        has_chain || std::ranges::any_of(pairs, [&](const Pair& pair) { return !own.str(pair.certificate).empty(); });
    if (!has_any)
        linter.warn(
            own,
            is_wrapped                     ? "smtpd_tls_wrappermode"
            : !level.empty()               ? "smtpd_tls_security_level"
            : own.boolean("smtpd_use_tls") ? "smtpd_use_tls"
                                           : "smtpd_enforce_tls",
            "no server certificate is configured (smtpd_tls_chain_files, or smtpd_tls_cert_file and smtpd_tls_key_file): TLS will not be available");
}

// Whether clients of a port begin TLS at once is the port's, not the server's to say: if the two differ each waits for
// the other. A proxy in front may have ended TLS already, and so may whatever connects over the loopback.
void check_port(const Settings& settings, const ServiceSpec& service, std::vector<Problem>& problems)
{
    const std::string_view name = service.name;
    const std::string_view port = name.substr(name.rfind(':') + 1);
    if (name.starts_with("127.") || name.starts_with("[::1]") || name.starts_with("localhost:")) return;
    try {
        const auto own = settings.for_service(service);
        const bool is_wrapped = own->boolean("smtpd_tls_wrappermode");
        if (!own->str("smtpd_upstream_proxy_protocol").empty()) return;
        if (is_one_of(port, {"smtps", "submissions", "465"}) && !is_wrapped)
            problems.push_back(make_problem(
                Problem::Level::warning, {service.file, service.line},
                fmt::format("service {} inet: clients of this port begin with TLS, and wait for it in vain", name),
                "smtpd_tls_wrappermode", "add -o smtpd_tls_wrappermode=yes"));
        if (is_one_of(port, {"smtp", "25", "submission", "587"}) && is_wrapped)
            problems.push_back(make_problem(
                Problem::Level::warning, own->location("smtpd_tls_wrappermode"),
                fmt::format("service {} inet: clients of this port wait for a greeting in plain text", name),
                "smtpd_tls_wrappermode", "keep smtpd_tls_wrappermode for smtps, port 465"));
    } catch (const ConfigError&) {
        // A value that cannot be read is named elsewhere.
    }
}

bool asks_for_certificates(const Settings& settings)
{
    return std::ranges::any_of(settings.services(), [&](const ServiceSpec& service) {
        if (service.command != "smtpd") return false;
        try {
            const auto own = settings.for_service(service);
            return own->boolean("smtpd_tls_ask_ccert") || own->boolean("smtpd_tls_req_ccert");
        } catch (const ConfigError&) {
            return true; // named elsewhere
        }
    });
}

// Nobody shows a certificate who is not asked for one. A list may be for several ports, so one that asks is enough.
void check_certificate_lists(const Settings& own, ServerLinter& linter)
{
    static constexpr Words about_certificates{"permit_tls_clientcerts", "permit_tls_all_clientcerts",
                                              "check_ccert_access"};
    for (const auto name : {"smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions",
                            "smtpd_relay_restrictions", "smtpd_recipient_restrictions", "smtpd_data_restrictions"})
        for (const auto& word : own.list(name))
            if (is_one_of(word, about_certificates))
                linter.warn(
                    own, name,
                    fmt::format("{} in {} finds no certificate, because no client is asked for one", word, name),
                    "write smtpd_tls_ask_ccert = yes");
}

}  // namespace

std::vector<Problem> lint_tls(const Settings& settings)
{
    auto problems = ServerLinter(settings).run(check_server);
    if (!asks_for_certificates(settings))
        for (auto& problem : ServerLinter(settings).run(check_certificate_lists))
            problems.push_back(std::move(problem));
    for (const auto& service : settings.services())
        if (service.command == "smtpd" && service.type == "inet") check_port(settings, service, problems);
    return problems;
}

}  // namespace ekiden::config
