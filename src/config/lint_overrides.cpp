#include "base/text.hpp"
#include "config/expand.hpp"
#include "config/lint_services.hpp"
#include "config/snapshot.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace ekiden::config {

namespace {

// Under which name the table of parameters knows what a program reads.
struct Reader {
    std::string_view program, name;
};
constexpr std::array readers{
    Reader{"lmtp", "smtp"}, Reader{"nqmgr", "qmgr"}, Reader{"trivial-rewrite", "rewrite"}, Reader{"postscreen", "postscreen"},
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

// What the administrator was after, where there is a way to it.
struct Advice {
    std::string_view name, text;
};
constexpr std::array advices{
    Advice{"header_checks", "write receive_override_options=no_header_body_checks, or a cleanup line with its own header_checks and cleanup_service_name"},
    Advice{"mime_header_checks", "write receive_override_options=no_header_body_checks"},
    Advice{"nested_header_checks", "write receive_override_options=no_header_body_checks"},
    Advice{"body_checks", "write receive_override_options=no_header_body_checks, or a cleanup line with its own body_checks and cleanup_service_name"},
    Advice{"virtual_alias_maps", "write receive_override_options=no_address_mappings"},
    Advice{"canonical_maps", "write receive_override_options=no_address_mappings"},
    Advice{"always_bcc", "write receive_override_options=no_address_mappings"},
    Advice{"smtp_tls_security_level", "that is the client's; the server's is smtpd_tls_security_level"},
    Advice{"smtp_sasl_auth_enable", "that is the client's; the server's is smtpd_sasl_auth_enable"},
};

bool reads(const ServiceSpec& service, const Parameter& row)
{
    if (row.is_global()) {
        return !(service.command == "smtpd" && std::ranges::find(used_elsewhere, row.name, &Elsewhere::name) != used_elsewhere.end());
    }
    const auto alias = std::ranges::find(readers, service.command, &Reader::program);
    const std::string_view program = alias != readers.end() ? alias->name : std::string_view(service.command);
    const auto words = base::split_any(row.readers, " ");
    if (std::ranges::find(words, program) != words.end()) return true;
    return std::ranges::find(words, "tls") != words.end() && std::ranges::find(tls_programs, program) != tls_programs.end();
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

std::string_view nearest_parameter(std::string_view name)
{
    std::string_view best;
    int distance = 4;
    for (const auto& row : all_parameters()) {
        const int edits = base::edit_distance(name, row.name, distance);
        if (edits < distance && !row.is_obsolete()) {
            distance = edits;
            best = row.name;
        }
    }
    return best;
}

// Names that some value mentions: whoever reads that value reads them.
std::set<std::string, std::less<>> mentions(const Settings& settings)
{
    std::set<std::string, std::less<>> result;
    const auto mention = [&](std::string_view name) { result.emplace(name); };
    for (const auto& name : settings.names_set()) for_each_name(settings.raw(name), mention);
    for (const auto& service : settings.services()) {
        for (const auto& [name, value] : service.overrides) for_each_name(value, mention);
        for (const auto& word : service.raw_arguments) for_each_name(word, mention);
    }
    for (const auto& word : settings.list("smtpd_restriction_classes")) result.insert(word);
    return result;
}

bool has_cleanup(const Settings& settings, std::string_view name)
{
    return name == "cleanup" || std::ranges::any_of(settings.services(), [&](const ServiceSpec& service) { return service.command == "cleanup" && service.name == name; });
}

// The words of settings that have a small vocabulary; the texts are those with which Postfix's server dies.
void check_words(const Settings& own, ServerLinter& linter)
{
    auto refuse = [&](std::string_view name, std::string text, std::string_view meant) {
        if (!meant.empty()) text += fmt::format(": is {} meant?", meant);
        linter.refuse(own, name, text);
    };
    static constexpr std::initializer_list<std::string_view> receive_words{"no_address_mappings", "no_header_body_checks", "no_unknown_recipient_checks", "no_milters"};
    for (const auto& word : own.list("receive_override_options")) {
        if (std::ranges::find(receive_words, word) != receive_words.end()) continue;
        refuse("receive_override_options", fmt::format("unknown receive_override_options value \"{}\" in \"{}\"", word, own.str("receive_override_options")), nearest(word, receive_words));
    }
    const std::string proxy = own.str("smtpd_upstream_proxy_protocol");
    if (!proxy.empty() && proxy != "haproxy")
        refuse("smtpd_upstream_proxy_protocol", fmt::format("unsupported smtpd_upstream_proxy_protocol value: {}", proxy), nearest(proxy, {"haproxy"}));
    static constexpr std::initializer_list<std::string_view> newline_words{"no", "yes", "normalize", "reject", "note"};
    const std::string newline = own.str("smtpd_forbid_bare_newline");
    if (std::ranges::find(newline_words, newline) == newline_words.end())
        refuse("smtpd_forbid_bare_newline", fmt::format("invalid setting: 'smtpd_forbid_bare_newline = {}'", newline), nearest(newline, newline_words));
    static constexpr std::initializer_list<std::string_view> client_words{"permit_inet_interfaces", "permit_mynetworks", "permit_sasl_authenticated", "permit_tls_clientcerts",
                                                                          "permit_tls_all_clientcerts", "check_address_map"};
    for (const auto& word : own.list("local_header_rewrite_clients")) {
        if (word.contains(':') || std::ranges::find(client_words, word) != client_words.end()) continue;
        const auto meant = nearest(word, client_words);
        linter.warn(own, "local_header_rewrite_clients", fmt::format("unknown local_header_rewrite_clients item: {}{}", word, meant.empty() ? "" : fmt::format(": is {} meant?", meant)));
    }
}

}  // namespace

std::vector<Problem> lint_words(const Settings& settings) { return ServerLinter(settings).run(check_words); }

std::vector<Problem> lint_overrides(const Settings& settings)
{
    std::vector<Problem> problems;
    const auto mentioned = mentions(settings);
    for (const auto& service : settings.services()) {
        auto add = [&](std::string text) {
            problems.push_back({Problem::Level::warning, {service.file, service.line}, fmt::format("{}: line {}: {}", service.file, service.line, text)});
        };
        for (const auto& [name, value] : service.overrides) {
            if (name == "cleanup_service_name" && !has_cleanup(settings, settings.expand(value))) {
                // Postfix would wait for it for as long as it runs, and so would every client.
                add(fmt::format("cleanup_service_name = {}: master.cf has no cleanup service of that name", value));
                problems.back().level = Problem::Level::fatal;
            }
            if (mentioned.contains(name)) continue;
            const auto* row = find_parameter(name);
            if (row == nullptr) {
                if (find_service_parameter(name) != nullptr) continue;
                const auto meant = nearest_parameter(name);
                add(fmt::format("unused parameter: {}={}{}", name, value, meant.empty() ? "" : fmt::format(": is {} meant?", meant)));
                continue;
            }
            if (reads(service, *row)) continue;
            const auto advice = std::ranges::find(advices, name, &Advice::name);
            const bool has_advice = advice != advices.end() && service.command == "smtpd";
            add(fmt::format("-o {}={} has no effect on {}(8), it belongs to {}{}", name, value, service.command, readers_of(*row),
                            has_advice ? fmt::format(": {}", advice->text) : ""));
        }
    }
    return problems;
}

}  // namespace ekiden::config
