#include "dns/mx.hpp"

#include "base/random.hpp"
#include "base/text.hpp"
#include "dns/filtered.hpp"

#include <algorithm>
#include <map>

namespace ekiden::dns {

namespace {

// Mail for nobody: MX 0 "." (RFC 7505). Beside others it makes no sense; who wrote it wants no mail, at any rate not here.
bool is_null_mx(const std::vector<Record>& records)
{
    return std::ranges::any_of(records, [](const Record& record) { return record.name.empty(); });
}

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

// Of an answer that did not come, or of which a filter left nothing.
std::string code_of(const Error& error) { return is_all_filtered(error) ? "4.7.0" : "4.4.3"; }

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
        const bool is_native = options.address_source == Source::hosts_and_dns;
        found.code = is_native ? "4.4.4" : code_of(answer.error());
        found.text = is_native ? "unable to look up host " + name + ": Temporary failure in name resolution"
                               : answer.error().text();
        found.is_dns_trouble = true;
        co_return found;
    }
    for (const Record& record : answer->records) found.hosts.push_back({name, record.address, preference});
    if (found.hosts.empty() && options.address_source != Source::dns) {
        // In the words of the system's resolver.
        const bool has_name = answer->absence == Absence::no_such_record;
        found.code = has_name ? "5.3.0" : "5.4.4";
        found.text = "unable to look up host " + name +
                     (has_name ? ": No address associated with hostname" : ": Name or service not known");
    } else if (found.hosts.empty()) {
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
    return options.is_own_address &&
           std::ranges::any_of(hosts, [&](const MailHost& h) { return options.is_own_address(h.address); });
}

MailHosts loop_back(const std::string& name)
{
    MailHosts result;
    result.code = "5.4.6";
    result.text = "mail for " + name + " loops back to myself";
    result.is_ours = true;
    return result;
}

bool can_balance(const MailHostOptions& options)
{
    return options.is_balanced && options.address_limit > 1 && options.families.ipv4 && options.families.ipv6;
}

std::size_t count_of(const std::vector<MailHost>& hosts, bool is_v6)
{
    return static_cast<std::size_t>(
        std::ranges::count_if(hosts, [&](const MailHost& host) { return host.address.is_v6() == is_v6; }));
}

// One family is still short of its share.
bool wants_more(const std::vector<MailHost>& hosts, const MailHostOptions& options)
{
    const std::size_t share = options.address_limit / 2;
    return can_balance(options) && (count_of(hosts, true) < share || count_of(hosts, false) < share);
}

// Of the `address_limit` that will be tried, half are of the family that comes second, as far as there are so many: where
// one of the two protocols does not work, the other must have its turn.
void balance(std::vector<MailHost>& hosts, const MailHostOptions& options)
{
    if (!can_balance(options) || hosts.size() <= options.address_limit) return;
    const bool first = hosts.front().address.is_v6();
    const std::size_t of_first = count_of(hosts, first), of_other = hosts.size() - of_first;
    std::size_t other_places = std::min(of_other, options.address_limit / 2);
    const std::size_t first_places = std::min(of_first, options.address_limit - other_places);
    other_places = options.address_limit - first_places;
    std::size_t seen[2] = {0, 0};
    std::stable_partition(hosts.begin(), hosts.end(), [&](const MailHost& host) {
        const bool is_other = host.address.is_v6() != first;
        return ++seen[is_other ? 1 : 0] <= (is_other ? other_places : first_places);
    });
}

Task<MailHosts> find_by_mx(Resolver& resolver, std::string domain, std::vector<Record> records,
                           const MailHostOptions& options)
{
    MailHosts result;
    std::map<std::uint16_t, std::vector<std::string>> by_preference;
    for (Record& record : records) by_preference[record.preference].push_back(std::move(record.name));
    Lookup last_failure;
    std::size_t looked_up = 0;
    for (const auto& [preference, names] : by_preference) {
        if (options.address_limit > 0 && result.hosts.size() >= options.address_limit &&
            !wants_more(result.hosts, options))
            break;
        std::vector<MailHost> group;
        for (const std::string& name : names) {
            if (++looked_up > max_mx_hosts) break;
            auto lookup = co_await find_host(resolver, name, preference, options);
            // Trouble outweighs absence: the host may be there after all.
            if (lookup.hosts.empty() && (lookup.is_dns_trouble || !last_failure.is_dns_trouble)) last_failure = lookup;
            group.insert(group.end(), lookup.hosts.begin(), lookup.hosts.end());
        }
        if (has_own(group, options)) {
            result.is_ours = true;
            break;
        }
        arrange(group, options);
        result.hosts.insert(result.hosts.end(), group.begin(), group.end());
    }
    balance(result.hosts, options);
    if (!result.hosts.empty()) co_return result;
    if (result.is_ours) co_return loop_back(domain);
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
        if (literal->is_v6() ? !options.families.ipv6 : !options.families.ipv4) {
            result.code = "5.4.4";
            result.text = "Name service error for " + name + ": invalid host or domain name";
            co_return result;
        }
        result.hosts.push_back({net::format_address(*literal), *literal, 0});
        if (has_own(result.hosts, options)) co_return loop_back(name);
        co_return result;
    }
    if (options.uses_mx) {
        auto answer = co_await resolver.query_dns(name, Type::mx);
        if (!answer && !options.ignores_mx_trouble) {
            result.code = code_of(answer.error());
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
    // No MX: the name itself is the host (RFC 5321 5.1).
    auto lookup = co_await find_host(resolver, name, 0, options);
    if (has_own(lookup.hosts, options)) co_return loop_back(name);
    arrange(lookup.hosts, options);
    balance(lookup.hosts, options);
    result.hosts = std::move(lookup.hosts);
    if (result.hosts.empty()) set_failure(result, lookup);
    co_return result;
}

}  // namespace ekiden::dns
