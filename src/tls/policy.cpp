#include "tls/policy.hpp"

#include "base/text.hpp"
#include "net/endpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace ekiden::tls {

namespace {

constexpr std::string_view configuration_problem = "client TLS configuration problem";

std::unexpected<Error> no_policy(const Target& target, const Logger& log)
{
    log.warning("TLS policy lookup for {}/{}: {}", target.domain, target.host, configuration_problem);
    return fail(ErrorCode::syntax, std::string(configuration_problem));
}

bool is_host_name(std::string_view name)
{
    if (name.empty() || name.size() > 253) return false;
    std::size_t label = 0;
    char before = '.';
    for (char c : name) {
        const bool is_good =
            c == '.' ? label > 0 && before != '-' : base::is_alnum(c) || c == '_' || (c == '-' && label > 0);
        if (!is_good) return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63) return false;
        before = c;
    }
    return before != '-' && before != '.';
}

// "nexthop", "dot-nexthop", "hostname", or a name.
std::vector<std::string> expected_names(const std::vector<std::string>& words, const Target& target)
{
    std::vector<std::string> names;
    for (const std::string& word : words) {
        if (base::equal_ignoring_case(word, "nexthop")) names.push_back(target.domain);
        else if (base::equal_ignoring_case(word, "dot-nexthop")) names.push_back("." + target.domain);
        else if (base::equal_ignoring_case(word, "hostname")) names.push_back(target.host);
        else names.push_back(word);
    }
    return names;
}

std::string bare_fingerprint(std::string_view text)
{
    std::string bare;
    for (char c : text) {
        if (c != ':') bare += base::to_upper(c);
    }
    return bare;
}

// "hostname", "nexthop" or a name; nothing for what is none. An address is no name that could be asked for.
std::optional<std::string> server_name_of(std::string_view word, const Target& target)
{
    if (word.empty()) return std::string();
    std::string name(word);
    if (base::equal_ignoring_case(word, "hostname")) name = target.host;
    else if (base::equal_ignoring_case(word, "nexthop")) name = target.domain;
    else if (!is_host_name(word)) return std::nullopt;
    if (net::parse_address(name)) name.clear();
    return name;
}

enum class Attribute { ciphers, protocols, exclude, match, trust_anchors, server_name, reuse };
struct Known {
    std::string_view name;
    Attribute attribute;
};
constexpr Known attributes[] = {
    {"ciphers", Attribute::ciphers},   {"protocols", Attribute::protocols},   {"exclude", Attribute::exclude},
    {"match", Attribute::match},       {"tafile", Attribute::trust_anchors}, {"servername", Attribute::server_name},
    {"connection_reuse", Attribute::reuse},
};

bool takes(Level level, Attribute attribute)
{
    if (attribute == Attribute::match) return is_matched(level);
    if (attribute == Attribute::trust_anchors) return level == Level::verify || level == Level::secure;
    return true;
}

// Fills in what the level needs and the entry did not say.
Result<ClientPolicy> complete(ClientPolicy policy, const ClientOptions& options, const Target& target,
                              const Logger& log)
{
    if (policy.level == Level::dane || policy.level == Level::dane_only) {
        // DNSSEC is needed to find TLSA records; without it this is "may", or nothing.
        log.warning("{}: {} configured with dnssec lookups disabled", target.domain, name_of(policy.level));
        if (policy.level == Level::dane_only) return no_policy(target, log);
        policy.level = Level::may;
    }
    if (target.is_unix && policy.level == Level::may) {
        log.warning("{}: opportunistic TLS encryption is not appropriate for unix-domain destinations.", target.key);
        policy.level = Level::none;
    }
    switch (policy.level) {
    case Level::fingerprint:
        if (policy.match.empty()) policy.match = options.fingerprints;
        for (std::string& item : policy.match) item = bare_fingerprint(item);
        if (policy.match.empty()) {
            log.warning(
                "nexthop domain {}: configured at fingerprint security level, but with no fingerprints to match.",
                target.domain);
            return no_policy(target, log);
        }
        break;
    case Level::verify:
    case Level::secure:
        if (policy.match.empty())
            policy.match = policy.level == Level::verify ? options.verify_match : options.secure_match;
        policy.match = expected_names(policy.match, target);
        if (policy.trust_anchor_files.empty()) policy.trust_anchor_files = options.trust_anchor_files;
        break;
    default: break;
    }
    return policy;
}

Task<Result<std::optional<std::string>>> find_entry(const table::Maps& tables, std::string key, const Logger& log)
{
    // Parents are asked for only where the next hop is a plain domain.
    const bool has_parents = key.find_first_of("[]:") == key.npos && !net::parse_address(key);
    for (std::string name = key;;) {
        EKIDEN_CO_TRY_VALUE(found, co_await tables.find(name, &log));
        if (found) co_return std::optional<std::string>(std::move(*found));
        const auto dot = has_parents ? name.find('.', 1) : name.npos;
        if (dot == name.npos || dot + 1 == name.size()) co_return std::optional<std::string>();
        name.erase(0, dot);
    }
}

}  // namespace

Result<ClientPolicy> parse_policy(std::string_view value, const ClientOptions& options, const Target& target,
                                  std::string_view title, const Logger& log)
{
    const auto words = base::split_any(value, ", \t\r\n");
    const auto level = words.empty() ? std::nullopt : parse_level(words.front());
    if (!level) {
        log.warning("{}: invalid security level \"{}\"", title, words.empty() ? std::string_view() : words.front());
        return no_policy(target, log);
    }
    ClientPolicy policy;
    policy.level = *level;
    policy.grade = options.grade(*level);
    policy.wildcards_are_deep = options.wildcards_are_deep;
    std::string_view server_name = options.server_name;
    bool has_own_exclusions = false;
    for (std::string_view word : std::span(words).subspan(1)) {
        if (*level == Level::none) {
            log.warning("{}: ignoring attribute \"{}\" with TLS disabled", title, word);
            continue;
        }
        const auto equals = word.find('=');
        const std::string_view name = word.substr(0, equals);
        const auto* known =
            std::ranges::find_if(attributes, [&](const Known& k) { return base::equal_ignoring_case(k.name, name); });
        if (equals == word.npos) {
            log.warning("{}: malformed attribute/value pair \"{}\": missing '=' after attribute name", title, word);
            return no_policy(target, log);
        }
        const std::string_view text = word.substr(equals + 1);
        if (known == std::end(attributes)) {
            log.warning("{}: invalid attribute name: \"{}\"", title, name);
            return no_policy(target, log);
        }
        if (text.empty()) {
            log.warning("{}: attribute \"{}\" has empty value", title, name);
            return no_policy(target, log);
        }
        if (!takes(*level, known->attribute)) {
            log.warning("{}: attribute \"{}\" invalid at security level \"{}\"", title, name, name_of(*level));
            return no_policy(target, log);
        }
        switch (known->attribute) {
        case Attribute::ciphers: policy.grade.ciphers = text; break;
        case Attribute::protocols: policy.grade.protocols = text; break;
        case Attribute::exclude:
            if (!std::exchange(has_own_exclusions, true)) policy.grade.excluded.clear();
            for (std::string_view item : base::split_any(text, ":")) policy.grade.excluded.emplace_back(item);
            break;
        case Attribute::match:
            for (std::string_view item : base::split_any(text, *level == Level::fingerprint ? "|" : ":"))
                policy.match.emplace_back(item);
            break;
        case Attribute::trust_anchors: policy.trust_anchor_files.emplace_back(text); break;
        case Attribute::server_name: server_name = text; break;
        case Attribute::reuse: break;    // connections are reused at all levels
        }
    }
    if (*level != Level::none) {
        auto name = server_name_of(server_name, target);
        if (!name) {
            if (server_name == options.server_name)
                log.warning("\"{}tls_servername = {}\" specifies an invalid hostname", options.prefix, server_name);
            else log.warning("{}: \"servername={}\" specifies an invalid hostname", title, server_name);
            return no_policy(target, log);
        }
        policy.server_name = std::move(*name);
    }
    return complete(std::move(policy), options, target, log);
}

std::optional<Level> combine_sites(Level site, std::string_view by_destination, std::string_view by_host)
{
    static constexpr struct {
        std::string_view word;
        Level level;
    } rows[] = {
        {"NONE", Level::none}, {"MAY", Level::may}, {"MUST_NOPEERMATCH", Level::encrypt}, {"MUST", Level::verify}};
    std::optional<Level> result;
    for (std::string_view word : {by_destination, by_host}) {
        if (word.empty()) continue;
        const auto* row =
            std::ranges::find_if(rows, [&](const auto& r) { return base::equal_ignoring_case(r.word, word); });
        if (row == std::end(rows)) return std::nullopt;
        // MAY gives way to everything that says more; of the others the stricter one counts.
        if (!result || *result == Level::may) result = row->level;
        else if (row->level != Level::may) result = std::max(*result, row->level);
    }
    if (!result || (*result == Level::may && site > Level::may)) return site;
    return result;
}

Task<Result<ClientPolicy>> find_policy(const ClientOptions& options, Target target, const Logger& log)
{
    const std::string title = fmt::format("{}tls_policy_maps, next-hop destination \"{}\"", options.prefix, target.key);
    if (!options.policies.is_empty()) {
        const auto entry = co_await find_entry(options.policies, target.key, log);
        if (!entry) {
            log.warning("{}: policy table lookup error", title);
            co_return no_policy(target, log);
        }
        if (*entry) co_return parse_policy(**entry, options, target, title, log);
    }
    Level level = options.level;
    if (!options.sites.is_empty()) {
        const auto by_destination = co_await options.sites.find(target.key, &log);
        if (!by_destination) co_return no_policy(target, log);
        const auto by_host = co_await options.sites.find(target.host, &log);
        if (!by_host) co_return no_policy(target, log);
        const auto combined = combine_sites(level, by_destination->value_or(""), by_host->value_or(""));
        if (!combined) {
            log.warning("{}tls_per_site: unknown TLS policy for {} or {}", options.prefix, target.key, target.host);
            co_return no_policy(target, log);
        }
        level = *combined;
    }
    co_return parse_policy(name_of(level), options, target, title, log);
}

}  // namespace ekiden::tls
