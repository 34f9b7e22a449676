#include "rewrite/address_rules.hpp"

#include "base/text.hpp"
#include "base/watcher.hpp"
#include "mail/address.hpp"
#include "mime/addresses.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ekiden::rewrite {
namespace {

// canonical(5) maps a result again until it stays the same; a table that goes round is caught here.
constexpr int max_canonical_steps = 10;

std::uint8_t parse_classes(const std::vector<std::string>& names)
{
    std::uint8_t classes = 0;
    for (const auto& name : names) {
        if (name == "envelope_sender") classes |= static_cast<std::uint8_t>(Place::envelope_sender);
        else if (name == "envelope_recipient") classes |= static_cast<std::uint8_t>(Place::envelope_recipient);
        else if (name == "header_sender") classes |= static_cast<std::uint8_t>(Place::header_sender);
        else if (name == "header_recipient") classes |= static_cast<std::uint8_t>(Place::header_recipient);
    }
    return classes;
}

std::string_view name_of(Place place)
{
    switch (place) {
        case Place::envelope_sender: return "envelope_sender";
        case Place::envelope_recipient: return "envelope_recipient";
        case Place::header_sender: return "header_sender";
        case Place::header_recipient: return "header_recipient";
    }
    return "";
}

AddressRules::Fault unreasonable(const table::Maps& maps, std::string_view what, std::string_view address)
{
    return {true, fmt::format("unreasonable {} map {} for {} -- message not accepted, try again later", maps.title(),
                              what, address)};
}

}  // namespace

AddressRules::Fault AddressRules::lookup_problem(const table::Maps& maps, std::string_view address)
{
    return {false, fmt::format("{} map lookup problem for {} -- message not accepted, try again later", maps.title(),
                               address)};
}

AddressRules::Fault AddressRules::no_address(const table::Maps& maps, std::string_view key,
                                             std::string_view value) const
{
    if (log_)
        log_->warning("{} lookup of {} returns non-address result \"{}\"", maps.title(), key, value.substr(0, 100));
    return lookup_problem(maps, key);
}

AddressRules AddressRules::from(const config::Settings& settings, std::shared_ptr<const Resolver> resolver,
                                const Logger* log)
{
    const auto maps = [&](const std::string& name) { return table::Maps::open(name, settings.str(name)); };
    const auto limit = [&](const char* name) { return static_cast<std::size_t>(settings.integer(name)); };
    const auto propagates = settings.list("propagate_unmatched_extensions");

    AddressRules rules;
    rules.resolver_ = std::move(resolver);
    rules.canonical_ = maps("canonical_maps");
    rules.sender_canonical_ = maps("sender_canonical_maps");
    rules.recipient_canonical_ = maps("recipient_canonical_maps");
    rules.virtual_alias_ = maps("virtual_alias_maps");
    rules.canonical_classes_ = parse_classes(settings.list("canonical_classes"));
    rules.sender_canonical_classes_ = parse_classes(settings.list("sender_canonical_classes"));
    rules.recipient_canonical_classes_ = parse_classes(settings.list("recipient_canonical_classes"));
    rules.masquerade_classes_ = parse_classes(settings.list("masquerade_classes"));
    for (const auto& domain : settings.list("masquerade_domains"))
        rules.masquerade_domains_.push_back(base::lower(domain));
    rules.masquerade_exceptions_ = table::MatchList::open(
        "masquerade_exceptions", settings.str("masquerade_exceptions"), table::MatchList::Kind::names);
    rules.propagates_canonical_ = std::find(propagates.begin(), propagates.end(), "canonical") != propagates.end();
    rules.propagates_virtual_ = std::find(propagates.begin(), propagates.end(), "virtual") != propagates.end();
    rules.recipient_delimiter_ = settings.str("recipient_delimiter");
    rules.origin_ = settings.str("myorigin");
    rules.recursion_limit_ = limit("virtual_alias_recursion_limit");
    rules.expansion_limit_ = limit("virtual_alias_expansion_limit");
    rules.length_limit_ = limit("virtual_alias_address_length_limit");
    rules.log_ = log;
    return rules;
}

const table::Maps& AddressRules::own_maps(Place place) const
{
    static const table::Maps none;
    const bool is_sender = place == Place::envelope_sender || place == Place::header_sender;
    if (!has(is_sender ? sender_canonical_classes_ : recipient_canonical_classes_, place)) return none;
    return is_sender ? sender_canonical_ : recipient_canonical_;
}

bool AddressRules::has_maps_for(Place place) const
{
    return !own_maps(place).is_empty() || (has(canonical_classes_, place) && !canonical_.is_empty())
        || (has_masquerading_for(place) && masquerade_exceptions_.has_tables());
}

std::string AddressRules::rewrite_now(std::string address, Place place) const
{
    if (!has_masquerading_for(place)) return address;
    const auto is_exempt = masquerade_exceptions_.matches_name_at_once(mail::split_address(address).local);
    if (is_exempt && is_exempt->value_or(false)) return address;
    masquerade(address);
    return address;
}

Task<AddressRules::Outcome<std::string>> AddressRules::rewrite(std::string address, Place place,
                                                               std::string_view id_text) const
{
    if (address.empty()) co_return address;
    if (base::Watcher* watcher = base::watcher()) watcher->note("address", name_of(place), address);
    if (!own_maps(place).is_empty()) {
        Outcome<std::string> mapped = co_await apply(own_maps(place), std::move(address), id_text);
        if (!mapped) co_return std::unexpected(std::move(mapped).error());
        address = std::move(*mapped);
    }
    if (has(canonical_classes_, place) && !canonical_.is_empty()) {
        Outcome<std::string> mapped = co_await apply(canonical_, std::move(address), id_text);
        if (!mapped) co_return std::unexpected(std::move(mapped).error());
        address = std::move(*mapped);
    }
    if (!has_masquerading_for(place)) co_return address;
    const auto is_exempt =
        co_await masquerade_exceptions_.matches_name(std::string(mail::split_address(address).local));
    if (!is_exempt) {
        if (log_) log_->warning("{}", is_exempt.error().text());
        co_return std::unexpected(Fault{
            false,
            fmt::format("masquerade_exceptions map lookup problem for {} -- message not accepted, try again later",
                        address)});
    }
    if (!*is_exempt) masquerade(address);
    co_return address;
}

Task<AddressRules::Outcome<std::string>> AddressRules::apply(const table::Maps& maps, std::string address,
                                                             std::string_view id_text) const
{
    const std::string original = address;
    for (int step = 0; step < max_canonical_steps; ++step) {
        auto answer = co_await look_up(maps, address);
        if (!answer) co_return std::unexpected(std::move(answer).error());
        if (!*answer) co_return address;
        const auto extension = propagates_canonical_ ? std::string_view((*answer)->extension) : std::string_view();
        bool has_several = false;
        std::string next = result_address((*answer)->value, address, extension, &has_several);
        if (next.empty()) co_return std::unexpected(no_address(maps, address, (*answer)->value));
        if (has_several && log_) log_->warning("{}: multi-valued {} entry for {}", id_text, maps.title(), address);
        if (base::equal_ignoring_case(next, address)) co_return next;
        address = std::move(next);
    }
    co_return std::unexpected(unreasonable(maps, "nesting", original));
}

Task<std::expected<std::optional<table::Maps::AddressAnswer>, AddressRules::Fault>>
AddressRules::look_up(const table::Maps& maps, std::string address) const
{
    const auto domain = mail::split_address(address).domain;
    table::Maps::AddressOptions options{.recipient_delimiter = recipient_delimiter_};
    options.is_local_domain = base::equal_ignoring_case(domain, origin_);
    if (!options.is_local_domain) {
        auto is_local = resolver_->is_local_domain_at_once(domain);
        if (!is_local) is_local = co_await resolver_->is_local_domain(std::string(domain));
        if (!*is_local) co_return std::unexpected(lookup_problem(maps, address));
        options.is_local_domain = **is_local;
    }
    Result<std::optional<table::Maps::AddressAnswer>> answer = co_await maps.find_address(address, options, log_);
    if (!answer) co_return std::unexpected(lookup_problem(maps, address));
    co_return std::move(*answer);
}

std::string AddressRules::result_address(std::string_view text, std::string_view original, std::string_view extension,
                                         bool* has_several) const
{
    auto addresses = mime::parse_address_list(text);
    if (has_several) *has_several = addresses.size() > 1;
    if (addresses.empty()) return {};
    std::string& address = addresses.front();
    if (address.starts_with('@')) {
        address.insert(0, mail::split_address(original).local);
        extension = {};   // it is part of the local part that was kept
    }
    address = resolver_->complete(address, "local");
    if (!extension.empty()) address.insert(mail::split_address(address).local.size(), extension);
    return std::move(address);
}

void AddressRules::masquerade(std::string& address) const
{
    const auto [local, domain, has_domain] = mail::split_address(address);
    if (!has_domain) return;
    for (const auto& entry : masquerade_domains_) {
        const bool is_negated = entry.starts_with('!');
        const auto parent = std::string_view(entry).substr(is_negated ? 1 : 0);
        const bool is_same = base::equal_ignoring_case(domain, parent);
        const bool is_below = domain.size() > parent.size() && domain[domain.size() - parent.size() - 1] == '.'
            && base::equal_ignoring_case(domain.substr(domain.size() - parent.size()), parent);
        if (!is_same && !is_below) continue;
        if (is_negated || !is_below) return;
        base::Watcher* const watcher = base::watcher();
        const std::string before = watcher ? address : std::string();
        address.erase(local.size() + 1, domain.size() - parent.size());
        if (watcher) watcher->note("rewrite", "masquerade_domains", before, address);
        return;
    }
}

// Breadth first, so that the order of recipients is that of the table. An address that stands for itself is final, as
// virtual(5) documents ("user: user, copy@elsewhere").
Task<AddressRules::Outcome<std::vector<std::string>>> AddressRules::expand(std::string address) const
{
    struct Item {
        std::string address;
        std::size_t depth;
        bool is_final;
    };
    std::vector<Item> items{{address, 0, false}};
    for (std::size_t i = 0; i < items.size();) {
        if (items[i].is_final) {
            ++i;
            continue;
        }
        if (items[i].depth >= recursion_limit_)
            co_return std::unexpected(unreasonable(virtual_alias_, "nesting", address));
        auto answer = co_await look_up(virtual_alias_, items[i].address);
        if (!answer) co_return std::unexpected(std::move(answer).error());
        if (!*answer) {
            ++i;
            continue;
        }
        const Item from = items[i];
        std::vector<Item> replacement;
        for (const auto& target : mime::parse_address_list((*answer)->value)) {
            const auto extension = propagates_virtual_ ? std::string_view((*answer)->extension) : std::string_view();
            std::string next = result_address(mail::quote_address(target), from.address, extension);
            if (next.size() > length_limit_) {
                co_return std::unexpected(
                    Fault{true, fmt::format("unreasonable {} result {}... -- message not accepted, try again later",
                                            virtual_alias_.title(), next.substr(0, 300))});
            }
            const bool is_final = base::equal_ignoring_case(next, from.address);
            replacement.push_back({std::move(next), from.depth + 1, is_final});
            if (items.size() + replacement.size() > expansion_limit_ + 1)
                co_return std::unexpected(unreasonable(virtual_alias_, "expansion size", address));
        }
        if (replacement.empty()) co_return std::unexpected(no_address(virtual_alias_, from.address, (*answer)->value));
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(i));
        items.insert(items.begin() + static_cast<std::ptrdiff_t>(i), std::make_move_iterator(replacement.begin()),
                     std::make_move_iterator(replacement.end()));
    }
    std::vector<std::string> out;
    out.reserve(items.size());
    for (auto& item : items) out.push_back(std::move(item.address));
    co_return out;
}

}  // namespace ekiden::rewrite
