#include "dns/mx.hpp"

#include "base/random.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <map>

namespace ekiden::dns {

namespace {

// Mail for nobody: MX 0 "." (RFC 7505).
bool is_null_mx(const std::vector<Record>& records) { return records.size() == 1 && records.front().name.empty(); }

template <class T>
void shuffle(std::vector<T>& items)
{
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[base::random_below(i)]);
}

void arrange(std::vector<MailHost>& group, const MailHostOptions& options)
{
    if (options.is_shuffled) shuffle(group);
    if (options.preferred == FamilyPreference::any) return;
    const bool v6_first = options.preferred == FamilyPreference::ipv6;
    std::vector<MailHost> arranged;
    for (const bool is_first : {true, false}) {
        for (const MailHost& host : group) {
            if ((host.address.is_v6() == v6_first) == is_first) arranged.push_back(host);
        }
    }
    group = std::move(arranged);
}

struct Lookup {
    std::vector<MailHost> hosts;
    std::string code, text;   // why there is none
    bool is_dns_trouble = false;
};

Task<Lookup> find_host(Resolver& resolver, std::string name, std::uint16_t preference, const MailHostOptions& options)
{
    Lookup found;
    if (const auto literal = net::parse_address(name)) {
        found.hosts.push_back({name, *literal, preference});
        co_return found;
    }
    auto answer = co_await find_addresses(resolver, name, options.families, options.address_source);
    if (!answer) {
        found.code = "4.4.3";
        found.text = answer.error().text();
        found.is_dns_trouble = true;
        co_return found;
    }
    for (const Record& record : answer->records) found.hosts.push_back({name, record.address, preference});
    if (found.hosts.empty()) {
        found.code = "5.4.4";
        found.text = not_found_text(name, options.families.last_type(), answer->absence);
    }
    co_return found;
}

void set_failure(MailHosts& result, const Lookup& lookup)
{
    result.code = lookup.code;
    result.text = lookup.text;
    result.is_dns_trouble = lookup.is_dns_trouble;
}

bool has_own(const std::vector<MailHost>& hosts, const MailHostOptions& options)
{
    return options.is_own_address && std::ranges::any_of(hosts, [&](const MailHost& h) { return options.is_own_address(h.address); });
}

Task<MailHosts> find_by_mx(Resolver& resolver, std::string domain, std::vector<Record> records, const MailHostOptions& options)
{
    MailHosts result;
    std::map<std::uint16_t, std::vector<std::string>> by_preference;
    for (Record& record : records) {
        if (!record.name.empty()) by_preference[record.preference].push_back(std::move(record.name));
    }
    Lookup last_failure;
    std::size_t looked_up = 0;
    bool is_cut_by_us = false;
    for (const auto& [preference, names] : by_preference) {
        if (options.address_limit > 0 && result.hosts.size() >= options.address_limit) break;
        std::vector<MailHost> group;
        for (const std::string& name : names) {
            if (++looked_up > max_mx_hosts) break;
            auto lookup = co_await find_host(resolver, name, preference, options);
            // Trouble outweighs absence: the host may be there after all.
            if (lookup.hosts.empty() && (lookup.is_dns_trouble || !last_failure.is_dns_trouble)) last_failure = lookup;
            group.insert(group.end(), lookup.hosts.begin(), lookup.hosts.end());
        }
        if (has_own(group, options)) {
            is_cut_by_us = true;
            break;
        }
        arrange(group, options);
        result.hosts.insert(result.hosts.end(), group.begin(), group.end());
    }
    if (!result.hosts.empty()) co_return result;
    if (is_cut_by_us) {
        result.code = "5.4.6";
        result.text = "mail for " + domain + " loops back to myself";
        co_return result;
    }
    result.warning = "no MX host for " + domain + " has a valid address record";
    if (last_failure.code.empty()) {
        last_failure.code = "5.4.4";
        last_failure.text = not_found_text(domain, Type::mx, Absence::no_such_record);
    }
    set_failure(result, last_failure);
    if (options.defers_without_address && result.code.starts_with('5')) result.code[0] = '4';
    co_return result;
}

}  // namespace

Task<MailHosts> find_mail_hosts(Resolver& resolver, std::string name, const MailHostOptions& options)
{
    MailHosts result;
    if (auto literal = net::parse_address(name)) {
        result.hosts.push_back({net::format_address(*literal), *literal, 0});
        co_return result;
    }
    if (options.uses_mx) {
        auto answer = co_await resolver.query_dns(name, Type::mx);
        if (!answer && !options.ignores_mx_trouble) {
            result.code = "4.4.3";
            result.text = answer.error().text();
            result.is_dns_trouble = true;
            co_return result;
        }
        if (answer && is_null_mx(answer->records)) {
            result.code = "5.1.0";
            result.text = "Domain " + name + " does not accept mail (nullMX)";
            co_return result;
        }
        if (answer && !answer->records.empty()) {
            co_return co_await find_by_mx(resolver, std::move(name), std::move(answer->records), options);
        }
    }
    // No MX: the name itself is the host (RFC 5321 5.1). A host that was named on purpose is not checked for loops.
    auto lookup = co_await find_host(resolver, name, 0, options);
    if (options.uses_mx && has_own(lookup.hosts, options)) {
        result.code = "5.4.6";
        result.text = "mail for " + name + " loops back to myself";
        co_return result;
    }
    arrange(lookup.hosts, options);
    result.hosts = std::move(lookup.hosts);
    if (result.hosts.empty()) set_failure(result, lookup);
    co_return result;
}

}  // namespace ekiden::dns
