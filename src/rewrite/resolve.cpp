#include "rewrite/resolve.hpp"

#include "base/fold.hpp"
#include "base/text.hpp"
#include "base/watcher.hpp"
#include "mail/address.hpp"
#include "table/match_list.hpp"

#include <algorithm>

namespace ekiden::rewrite {
namespace {

// A sender may nest routes ("a%b%c@us"); each turn takes one of our domains off. Longer chains are nonsense.
constexpr int max_turns = 100;

constexpr std::string_view bad_syntax_text = "5.1.3 bad address syntax";

// regexp, pcre and cidr rules see whole addresses only: a rule for "example.com" must not match the domain of a key.
bool is_pattern_table(std::string_view spec)
{
    if (spec.starts_with("proxy:")) spec.remove_prefix(6);
    return spec.starts_with("regexp:") || spec.starts_with("pcre:") || spec.starts_with("cidr:");
}

// Which parameter a part of the route comes from; tables tell of themselves.
void tell(std::string_view part, std::string_view parameter, std::string_view value)
{
    if (base::Watcher* watcher = base::watcher()) watcher->note("route", parameter, part, value);
}

}  // namespace

// "transport:nexthop" as *_transport parameters and transport_maps write it; either half may be empty.
struct Resolver::Target {
    std::string transport, next_hop;

    static Target parse(std::string_view text)
    {
        const auto colon = text.find(':');
        if (colon == text.npos) return {std::string(base::trim(text)), {}};
        return {std::string(base::trim(text.substr(0, colon))), std::string(base::trim(text.substr(colon + 1)))};
    }
};

struct Resolver::Tables {
    Logger log;   // "postfix/trivial-rewrite": tables that fail are its business
    Completion completion;
    OwnAddresses own;
    table::MatchList mydestination, virtual_alias_domains, virtual_mailbox_domains, relay_domains;
    table::Maps exact_transport_maps;   // transport_maps without pattern tables: for keys that are parts of the address
    table::Maps transport_maps, relocated_maps, sender_relayhost_maps, sender_transport_maps;
    Target local, virtual_mailbox, relay, other;
    std::string relayhost, myhostname, recipient_delimiter, empty_recipient;
    std::string empty_relayhost_key, empty_transport_key, relocated_prefix;
    std::string unknown_alias_text;
    bool allow_min_user = false, resolve_null_domain = false, resolve_numeric_domain = false, resolve_dequoted = true;
    bool transport_matches_parents = false;
};

Resolver::Resolver(config::SettingsPtr settings, std::shared_ptr<const Tables> tables)
    : settings_(std::move(settings)), tables_(std::move(tables))
{
}

std::shared_ptr<const Resolver> Resolver::make(config::SettingsPtr settings)
{
    const auto& s = *settings;
    const auto parents = s.list("parent_domain_matches_subdomains");
    const auto matches_parents = [&](std::string_view name) {
        return std::find(parents.begin(), parents.end(), name) != parents.end();
    };
    const auto domains = [&](const std::string& name) {
        return table::MatchList::open(name, s.str(name), matches_parents(name));
    };
    const auto maps = [&](const std::string& name) { return table::Maps::open(name, s.str(name)); };

    auto t = std::make_shared<Tables>();
    t->log = Logger(s.str("syslog_name") + "/trivial-rewrite");
    t->completion = Completion::from(s);
    t->own = OwnAddresses::from(s);
    t->mydestination = domains("mydestination");
    t->virtual_alias_domains = domains("virtual_alias_domains");
    t->virtual_mailbox_domains = domains("virtual_mailbox_domains");
    t->relay_domains = domains("relay_domains");
    t->transport_maps = maps("transport_maps");
    std::string exact;
    bool has_patterns = false;
    for (const auto& spec : s.list("transport_maps")) {
        if (is_pattern_table(spec)) has_patterns = true;
        else exact.append(exact.empty() ? "" : ", ").append(spec);
    }
    t->exact_transport_maps = has_patterns ? table::Maps::open("transport_maps", exact) : t->transport_maps;
    t->relocated_maps = maps("relocated_maps");
    t->sender_relayhost_maps = maps("sender_dependent_relayhost_maps");
    t->sender_transport_maps = maps("sender_dependent_default_transport_maps");
    t->local = Target::parse(s.str("local_transport"));
    t->virtual_mailbox = Target::parse(s.str("virtual_transport"));
    t->relay = Target::parse(s.str("relay_transport"));
    t->other = Target::parse(s.str("default_transport"));
    t->relayhost = s.str("relayhost");
    t->myhostname = s.str("myhostname");
    t->recipient_delimiter = s.str("recipient_delimiter");
    t->empty_recipient = s.str("empty_address_recipient");
    t->empty_relayhost_key = s.str("empty_address_relayhost_maps_lookup_key");
    t->empty_transport_key = s.str("empty_address_default_transport_maps_lookup_key");
    t->relocated_prefix = s.boolean("relocated_prefix_enable") ? "5.1.6 User has moved to " : "";
    t->unknown_alias_text =
        s.boolean("show_user_unknown_table_name") ? "5.1.1 User unknown in virtual alias table" : "5.1.1 User unknown";
    t->allow_min_user = s.boolean("allow_min_user");
    t->resolve_null_domain = s.boolean("resolve_null_domain");
    t->resolve_numeric_domain = s.boolean("resolve_numeric_domain");
    t->resolve_dequoted = s.boolean("resolve_dequoted_address");
    t->transport_matches_parents = matches_parents("transport_maps");
    return std::make_shared<const Resolver>(std::move(settings), std::move(t));
}

std::string Resolver::complete(std::string_view address, std::string_view context) const
{
    return tables_->completion.complete(address, context);
}

const Completion& Resolver::completion() const { return tables_->completion; }
const OwnAddresses& Resolver::own_addresses() const { return tables_->own; }

// Does the list, or an address literal of this host, say that `domain` is local?
bool Resolver::is_own_literal(std::string_view domain) const
{
    if (domain.empty() || domain.front() != '[') return false;
    const auto address = net::parse_address(domain);
    return address && tables_->own.is_interface_or_proxy(*address);
}

std::optional<Result<bool>> Resolver::is_local_domain_at_once(std::string_view domain) const
{
    auto listed = tables_->mydestination.matches_name_at_once(domain);
    if (!listed || !*listed || **listed) return listed;
    return is_own_literal(domain);
}

Task<Result<bool>> Resolver::is_local_domain(std::string domain) const
{
    EKIDEN_CO_TRY_VALUE(listed, co_await tables_->mydestination.matches_name(domain));
    co_return listed || is_own_literal(domain);
}

// The first that claims a domain has it: a name listed twice behaves as in Postfix.
std::array<Resolver::ClassList, 3> Resolver::class_lists() const
{
    return {{
        {&tables_->virtual_alias_domains, AddressClass::virtual_alias},
        {&tables_->virtual_mailbox_domains, AddressClass::virtual_mailbox},
        {&tables_->relay_domains, AddressClass::relay},
    }};
}

std::optional<Result<AddressClass>> Resolver::classify_at_once(std::string_view domain) const
{
    auto is_local = is_local_domain_at_once(domain);
    if (!is_local) return std::nullopt;
    if (!*is_local) return std::unexpected(std::move(*is_local).error());
    if (**is_local) return AddressClass::local;
    for (const ClassList& row : class_lists()) {
        auto listed = row.list->matches_name_at_once(domain);
        if (!listed) return std::nullopt;
        if (!*listed) return std::unexpected(std::move(*listed).error());
        if (**listed) return row.address_class;
    }
    return AddressClass::other;
}

Task<Result<AddressClass>> Resolver::classify(std::string domain) const
{
    if (auto known = classify_at_once(domain)) co_return std::move(*known);
    EKIDEN_CO_TRY_VALUE(is_local, co_await is_local_domain(domain));
    if (is_local) co_return AddressClass::local;
    for (const ClassList& row : class_lists()) {
        EKIDEN_CO_TRY_VALUE(listed, co_await row.list->matches_name(domain));
        if (listed) co_return row.address_class;
    }
    co_return AddressClass::other;
}

void apply_filter(Route& route, std::string_view filter, std::string_view recipient)
{
    const std::size_t colon = std::min(filter.find(':'), filter.size());
    route.transport = filter.substr(0, colon);
    route.next_hop = base::trim(filter.substr(std::min(colon + 1, filter.size())));
    if (route.next_hop.empty())
        route.next_hop = mail::split_address(route.recipient.empty() ? recipient : route.recipient).domain;
}

Task<Result<Route>> Resolver::resolve(std::string sender, std::string recipient) const
{
    const Tables& t = *tables_;
    Route route;
    // Who resolves an address that has not been rewritten yet (a check at RCPT) means the rewritten one.
    std::string address = t.completion.complete(recipient.empty() ? t.empty_recipient : recipient, "local");

    const auto bad = [&] {
        route.transport = "error";
        route.next_hop = bad_syntax_text;
        route.recipient = address;
        route.has_bad_syntax = true;
        return route;
    };

    std::string domain;
    for (int turn = 0;; ++turn) {
        // With append_at_myorigin = no there are such addresses: they are ours.
        if (!mail::split_address(address).has_domain) address += "@" + t.myhostname;
        domain = base::fold_case(mail::split_address(address).domain);
        if (domain.empty()) {
            if (!t.resolve_null_domain) co_return bad();
            domain = base::lower(t.myhostname);
            address += t.myhostname;
        }
        // "user%site@us" asks us to pass it on to site: take our domain off and look again.
        auto known = is_local_domain_at_once(domain);
        if (!known) known = co_await is_local_domain(domain);
        EKIDEN_CO_TRY_VALUE(is_local, std::move(*known));
        const auto local = mail::split_address(address).local;
        if (!is_local || turn == max_turns) {
            if (is_local) co_return bad();
            break;
        }
        if (t.resolve_dequoted && local.find('@') != local.npos) address = t.completion.complete(local, "local");
        else if (auto turned = t.completion.turn_round(local); !turned.empty())
            address = t.completion.complete(turned, "local");
        else break;
    }

    const auto parts = mail::split_address(address);
    if (!t.allow_min_user && parts.local.starts_with('-')) co_return bad();
    if (domain.front() == '[') {
        if (!mail::is_valid_address_literal(domain)) {
            const auto inside = std::string_view(domain).substr(1, domain.find(']', 1) - 1);
            const auto is_ipv4 = inside.find_first_not_of("0123456789.") == inside.npos;
            if (is_ipv4 && std::count(inside.begin(), inside.end(), '.') != 3)
                t.log.warning("valid_ipv4_hostaddr: invalid octet count: {}", inside.substr(0, 100));
            co_return bad();
        }
    } else if (!mail::is_valid_hostname(domain)) {
        if (!t.resolve_numeric_domain || !mail::is_numeric_domain(domain)) co_return bad();
        domain = "[" + domain + "]";
        address = std::string(parts.local) + "@" + domain;
    }

    auto claimed = classify_at_once(domain);
    if (!claimed) claimed = co_await classify(domain);
    EKIDEN_CO_TRY_VALUE(address_class, std::move(*claimed));
    route.address_class = address_class;
    route.has_sender_routing = address_class != AddressClass::local
        && mail::split_address(address).local.find_first_of("@!%") != std::string_view::npos;
    // "@domain" is nobody's mailbox; a person reads what is sent to the mailer daemon.
    route.recipient = address.front() == '@' ? t.empty_recipient + address : address;

    Result<Route> chosen = co_await choose_transport(std::move(sender), std::move(route), std::move(domain));
    co_return chosen;
}

// One row of ADDRESS_CLASS_README's table, then what transport(5) and relocated(5) say about this address.
Task<Result<Route>> Resolver::choose_transport(std::string sender, Route route, std::string domain) const
{
    const Tables& t = *tables_;
    Target target;
    std::string_view decided_by;
    bool takes_relayhost = false;
    switch (route.address_class) {
    case AddressClass::local:
        target = t.local;
        decided_by = "local_transport";
        break;
    case AddressClass::virtual_alias:
        target = {"error", t.unknown_alias_text};
        decided_by = "virtual_alias_domains";
        break;
    case AddressClass::virtual_mailbox:
        target = t.virtual_mailbox;
        decided_by = "virtual_transport";
        break;
    case AddressClass::relay:
        target = t.relay;
        decided_by = "relay_transport";
        takes_relayhost = true;
        break;
    case AddressClass::other:
        target = t.other;
        decided_by = "default_transport";
        takes_relayhost = true;
        if (!t.sender_transport_maps.is_empty()) {
            Result<Target> own =
                co_await sender_dependent(t.sender_transport_maps, sender.empty() ? t.empty_transport_key : sender);
            if (!own) co_return fail(std::move(own).error());
            if (!own->transport.empty() || !own->next_hop.empty()) {
                if (own->transport.empty()) own->transport = target.transport;
                target = std::move(*own);
                decided_by = "sender_dependent_default_transport_maps";
            }
        }
        break;
    }
    tell("transport", decided_by, target.transport);
    if (!target.next_hop.empty()) tell("next hop", decided_by, target.next_hop);
    if (takes_relayhost && target.next_hop.empty()) {
        if (!t.sender_relayhost_maps.is_empty()) {
            Result<std::optional<table::Maps::AddressAnswer>> own =
                co_await t.sender_relayhost_maps.find_address(sender.empty() ? t.empty_relayhost_key : sender,
                                                              {.recipient_delimiter = t.recipient_delimiter}, &t.log);
            if (!own) co_return fail(std::move(own).error());
            if (*own && !base::equal_ignoring_case((*own)->value, "DUNNO")) target.next_hop = (*own)->value;
            if (!target.next_hop.empty()) tell("next hop", "sender_dependent_relayhost_maps", target.next_hop);
        }
        if (target.next_hop.empty() && !t.relayhost.empty()) {
            target.next_hop = t.relayhost;
            tell("next hop", "relayhost", target.next_hop);
        }
    }
    if (target.next_hop.empty()) target.next_hop = domain;
    route.transport = std::move(target.transport);
    route.next_hop = std::move(target.next_hop);

    if (!t.transport_maps.is_empty()) EKIDEN_CO_TRY(co_await apply_transport_maps(route, domain));
    if (!t.relocated_maps.is_empty()) EKIDEN_CO_TRY(co_await apply_relocated_maps(route));
    co_return route;
}

Task<Result<Resolver::Target>> Resolver::sender_dependent(const table::Maps& maps, std::string sender) const
{
    table::Maps::AddressOptions options{.recipient_delimiter = tables_->recipient_delimiter};
    Result<std::optional<table::Maps::AddressAnswer>> answer =
        co_await maps.find_address(std::move(sender), options, &tables_->log);
    if (!answer) co_return fail(std::move(answer).error());
    if (!*answer || base::equal_ignoring_case((*answer)->value, "DUNNO")) co_return Target{};
    co_return Target::parse((*answer)->value);
}

Task<Result<void>> Resolver::apply_transport_maps(Route& route, const std::string& domain) const
{
    const Tables& t = *tables_;
    const std::string address = base::fold_case(route.recipient);
    const auto [local, ignored, has_domain] = mail::split_address(address);

    // In order: the address with and without its extension, the domain, the domains above it, everything.
    std::vector<std::string> keys{address};
    if (const auto [user, extension] = mail::split_extension(local, t.recipient_delimiter); !extension.empty())
        keys.push_back(std::string(user) + "@" + domain);
    keys.push_back(domain);
    if (domain.front() != '[') {
        for (auto dot = domain.find('.', 1); dot != domain.npos; dot = domain.find('.', dot + 1))
            keys.push_back(domain.substr(t.transport_matches_parents ? dot + 1 : dot));
    }
    keys.emplace_back("*");

    for (std::size_t i = 0; i < keys.size(); ++i) {
        const table::Maps& maps = i == 0 ? t.transport_maps : t.exact_transport_maps;
        if (maps.is_empty()) break;
        table::Answer answer = co_await maps.find(std::move(keys[i]), &t.log);
        if (!answer) co_return fail(std::move(answer).error());
        if (!*answer) continue;
        Target target = Target::parse(**answer);
        if (!target.transport.empty()) {
            tell("transport", "transport_maps", target.transport);
            if (!target.next_hop.empty()) tell("next hop", "transport_maps", target.next_hop);
            route.transport = std::move(target.transport);
            const bool is_refusal = route.transport == "error" || route.transport == "retry";
            route.next_hop = !target.next_hop.empty() ? std::move(target.next_hop)
                             : is_refusal             ? "Address is undeliverable"
                                                      : domain;
        } else if (!target.next_hop.empty()) {
            tell("next hop", "transport_maps", target.next_hop);
            route.next_hop = std::move(target.next_hop);
        }
        break;
    }
    co_return Result<void>{};
}

Task<Result<void>> Resolver::apply_relocated_maps(Route& route) const
{
    table::Maps::AddressOptions options{
        .recipient_delimiter = tables_->recipient_delimiter,
        .is_local_domain = route.address_class == AddressClass::local,
    };
    Result<std::optional<table::Maps::AddressAnswer>> answer =
        co_await tables_->relocated_maps.find_address(route.recipient, options, &tables_->log);
    if (!answer) co_return fail(std::move(answer).error());
    if (*answer) {
        tell("transport", "relocated_maps", "error");
        route.transport = "error";
        route.next_hop = tables_->relocated_prefix + (*answer)->value;
    }
    co_return Result<void>{};
}

}  // namespace ekiden::rewrite
