#include "base/text.hpp"
#include "config/expand.hpp"
#include "config/lint_services.hpp"
#include "config/snapshot.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ekiden::config {

namespace {

// Under which name the table of parameters knows what a program reads.
struct Reader {
    std::string_view program, name;
};
constexpr std::array readers{
    Reader{"lmtp", "smtp"},
    Reader{"nqmgr", "qmgr"},
    Reader{"trivial-rewrite", "rewrite"},
    Reader{"postscreen", "postscreen"},
};
constexpr std::array<std::string_view, 4> tls_programs{"smtp", "smtpd", "tlsproxy", "postscreen"};

// Read by every program at its start, and used by one.
struct Elsewhere {
    std::string_view name, user;
};
constexpr std::array used_elsewhere{
    Elsewhere{"myorigin", "trivial-rewrite and cleanup"},
    Elsewhere{"mydestination", "trivial-rewrite"},
    Elsewhere{"queue_directory", "every program"},
};

// Postfix's processes that are none here, and whose lines say nothing: what they do is done by the server itself.
constexpr std::array<std::string_view, 8> unread{"dnsblog", "flush",  "postlogd", "proxymap",
                                                 "scache",  "showq", "tlsmgr",   "tlsproxy"};

// What the administrator was after, where there is a way to it.
struct Advice {
    std::string_view name, text;
};
constexpr std::array advices{
    Advice{
        "header_checks",
        "write receive_override_options=no_header_body_checks, or a cleanup line with its own header_checks and cleanup_service_name"},
    Advice{"mime_header_checks", "write receive_override_options=no_header_body_checks"},
    Advice{"nested_header_checks", "write receive_override_options=no_header_body_checks"},
    Advice{
        "body_checks",
        "write receive_override_options=no_header_body_checks, or a cleanup line with its own body_checks and cleanup_service_name"},
    Advice{"virtual_alias_maps", "write receive_override_options=no_address_mappings"},
    Advice{"canonical_maps", "write receive_override_options=no_address_mappings"},
    Advice{"always_bcc", "write receive_override_options=no_address_mappings"},
    Advice{"smtp_tls_security_level", "that is the client's; the server's is smtpd_tls_security_level"},
    Advice{"smtp_sasl_auth_enable", "that is the client's; the server's is smtpd_sasl_auth_enable"},
};

bool reads(const ServiceSpec& service, const Parameter& row)
{
    if (row.is_global()) {
        return !(service.command == "smtpd" &&
                 std::ranges::find(used_elsewhere, row.name, &Elsewhere::name) != used_elsewhere.end());
    }
    const auto alias = std::ranges::find(readers, service.command, &Reader::program);
    const std::string_view program = alias != readers.end() ? alias->name : std::string_view(service.command);
    const auto words = base::split_any(row.readers, " ");
    if (std::ranges::find(words, program) != words.end()) return true;
    return std::ranges::find(words, "tls") != words.end() &&
           std::ranges::find(tls_programs, program) != tls_programs.end();
}

bool is_unread(const ServiceSpec& service)
{
    return std::ranges::find(unread, service.command) != unread.end();
}

std::string readers_of(const Parameter& row)
{
    const auto other = std::ranges::find(used_elsewhere, row.name, &Elsewhere::name);
    if (other != used_elsewhere.end()) return std::string(other->user);
    std::string text;
    for (const auto word : base::split_any(row.readers, " ")) {
        if (word == "proxymap") continue;
        text += (text.empty() ? "" : ", ") + std::string(word == "rewrite" ? "trivial-rewrite" : word);
    }
    return text;
}

bool has_cleanup(const Settings& settings, std::string_view name)
{
    return name == "cleanup" || std::ranges::any_of(settings.services(), [&](const ServiceSpec& service) {
               return service.command == "cleanup" && service.name == name;
           });
}

// The words of settings that have a small vocabulary; the texts are those with which Postfix's server dies.
void check_words(const Settings& own, ServerLinter& linter)
{
    static constexpr Words receive_words{"no_address_mappings", "no_header_body_checks", "no_unknown_recipient_checks",
                                         "no_milters"};
    for (const auto& word : own.list("receive_override_options")) {
        if (std::ranges::find(receive_words, word) != receive_words.end()) continue;
        linter.refuse(own, "receive_override_options",
                      fmt::format("unknown receive_override_options value \"{}\" in \"{}\"", word,
                                  own.str("receive_override_options")),
                      is_meant(without_odd_ends(word), receive_words), word);
    }
    const std::string proxy = own.str("smtpd_upstream_proxy_protocol");
    if (!proxy.empty() && proxy != "haproxy")
        linter.refuse(own, "smtpd_upstream_proxy_protocol",
                      fmt::format("unsupported smtpd_upstream_proxy_protocol value: {}", proxy),
                      is_meant(proxy, {"haproxy"}));
    static constexpr Words newline_words{"no", "yes", "normalize", "reject", "note"};
    const std::string newline = own.str("smtpd_forbid_bare_newline");
    if (std::ranges::find(newline_words, newline) == newline_words.end())
        linter.refuse(own, "smtpd_forbid_bare_newline",
                      fmt::format("invalid setting: 'smtpd_forbid_bare_newline = {}'", newline),
                      is_meant(newline, newline_words));
    static constexpr Words client_words{"permit_inet_interfaces",     "permit_mynetworks",
                                        "permit_sasl_authenticated",  "permit_tls_clientcerts",
                                        "permit_tls_all_clientcerts", "check_address_map"};
    for (const auto& word : own.list("local_header_rewrite_clients")) {
        if (word.contains(':') || std::ranges::find(client_words, word) != client_words.end()) continue;
        linter.warn(own, "local_header_rewrite_clients",
                    fmt::format("unknown local_header_rewrite_clients item: {}", word),
                    is_meant(without_odd_ends(word), client_words), word);
    }
}

}  // namespace

std::vector<Problem> lint_words(const Settings& settings) { return ServerLinter(settings).run(check_words); }

std::vector<Problem> lint_overrides(const Settings& settings)
{
    std::vector<Problem> problems;
    for (const auto& service : settings.services()) {
        for (std::size_t i = 0; i < service.overrides.size(); ++i) {
            const auto& [name, value] = service.overrides[i];
            auto add = [&](Problem::Level level, std::string_view about, std::string_view text,
                           std::string_view advice = {}) {
                problems.push_back(make_problem(level, {service.file, service.line_of(i)}, text, about, advice));
            };
            // Postfix would wait for it for as long as it runs, and so would every client.
            if (name == "cleanup_service_name" && !has_cleanup(settings, settings.expand(value)))
                add(Problem::Level::fatal, name,
                    fmt::format("cleanup_service_name = {}: master.cf has no cleanup service of that name", value));
            const auto* row = find_parameter(name);
            if (row != nullptr && reads(service, *row) && is_unread(service)) {
                if (row->support == Support::without_effect) continue;    // find_unsupported() says why
                add(Problem::Level::warning, name,
                    fmt::format("-o {}={} has no effect: {}(8) is part of the server, and goes by main.cf", name, value,
                                service.command),
                    row->is_global() ? "remove it" : fmt::format("write {} = {} in main.cf", name, value));
                continue;
            }
            if ((row != nullptr && reads(service, *row)) || is_mentioned(settings, name)) continue;
            if (row == nullptr) {
                if (find_service_parameter(name) == nullptr)
                    add(Problem::Level::warning, name, fmt::format("unused parameter: {}={}", name, value),
                        is_meant(nearest_parameter(name)));
                continue;
            }
            const auto advice = std::ranges::find(advices, name, &Advice::name);
            const bool has_advice = advice != advices.end() && service.command == "smtpd";
            add(Problem::Level::warning, name,
                fmt::format("-o {}={} has no effect on {}(8), it belongs to {}", name, value, service.command,
                            readers_of(*row)),
                has_advice ? advice->text : std::string_view());
        }
    }
    return problems;
}

}  // namespace ekiden::config
