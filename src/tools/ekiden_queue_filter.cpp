#include "tools/ekiden_queue_filter.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "net/endpoint.hpp"

// Boost.JSON as part of this file: the only one that reads JSON.
#include <boost/json/src.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <fnmatch.h>

namespace ekiden::tools {

namespace {

constexpr std::string_view null_sender = "MAILER-DAEMON";    // as listings show it

std::string text_of(const boost::json::object& object, const char* name)
{
    const auto* value = object.if_contains(name);
    const auto* text = value ? value->if_string() : nullptr;
    return text ? std::string(text->data(), text->size()) : std::string();
}

std::int64_t number_of(const boost::json::object& object, const char* name)
{
    const auto* value = object.if_contains(name);
    if (!value) return 0;
    if (const auto* number = value->if_int64()) return *number;
    if (const auto* number = value->if_uint64()) return static_cast<std::int64_t>(*number);
    return 0;
}

template <class T, class F>
bool has_any(const std::vector<T>& wanted, F&& is_it)
{
    return wanted.empty() || std::ranges::any_of(wanted, is_it);
}

std::string_view domain_of(std::string_view address) { return mail::split_address(address).domain; }

bool is_in_domain(std::string_view address, const std::string& domain)
{
    const std::string_view own = domain_of(address);
    return fits(own, domain);
}

bool is_client(const QueueEntry& entry, const std::string& wanted)
{
    if (const auto network = net::parse_network(wanted)) {
        const auto address = net::parse_address(entry.client_address);
        return address && network->contains(*address);
    }
    return fits(entry.client_name, wanted) || fits(entry.client_address, wanted);
}

}  // namespace

std::optional<QueueEntry> parse_queue_entry(std::string_view line)
{
    boost::system::error_code error;
    const boost::json::value document = boost::json::parse({line.data(), line.size()}, error);
    const auto* object = error ? nullptr : document.if_object();
    if (!object) return std::nullopt;
    QueueEntry entry;
    entry.queue_name = text_of(*object, "queue_name");
    entry.id = text_of(*object, "queue_id");
    if (entry.queue_name.empty() || entry.id.empty()) return std::nullopt;
    const std::string sender = text_of(*object, "sender");
    if (sender != null_sender) entry.sender = mail::unquote_address(sender);
    entry.arrived_at = number_of(*object, "arrival_time");
    entry.size = static_cast<std::uint64_t>(std::max<std::int64_t>(0, number_of(*object, "message_size")));
    const auto* expired = object->if_contains("forced_expire");
    entry.is_expired = expired && expired->is_bool() && expired->as_bool();
    entry.client_name = text_of(*object, "client_name");
    entry.client_address = text_of(*object, "client_address");
    entry.filter = text_of(*object, "filter");
    const auto* list = object->if_contains("recipients");
    const auto* recipients = list ? list->if_array() : nullptr;
    if (!recipients) return std::nullopt;
    for (const auto& each : *recipients) {
        if (const auto* recipient = each.if_object())
            entry.recipients.push_back(
                {mail::unquote_address(text_of(*recipient, "address")), text_of(*recipient, "delay_reason")});
    }
    return entry;
}

bool fits(std::string_view text, const std::string& pattern)
{
    return ::fnmatch(pattern.c_str(), std::string(text).c_str(), FNM_CASEFOLD) == 0;
}

bool fits_destination(std::string_view transport, std::string_view next_hop, const std::string& pattern)
{
    // "[relay.example]:587" means itself, not one of those letters; and people ask for a host as the log shows it.
    const auto is_named = [&](std::string_view text) {
        return base::equal_ignoring_case(text, pattern) || fits(text, pattern);
    };
    const auto is_hop = [&](std::string_view text) {
        return is_named(text) || is_named(fmt::format("{}:{}", transport, text));
    };
    if (is_named(transport) || is_hop(next_hop)) return true;
    const auto split = net::split_host_port(next_hop);
    return split && !split->host.empty() && is_hop(split->host);
}

Result<std::chrono::seconds> parse_age(std::string_view text)
{
    constexpr std::pair<char, std::int64_t> units[] = {
        {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
    std::int64_t unit = 1;
    std::string_view digits = text;
    if (!digits.empty()) {
        const auto row = std::ranges::find(units, base::to_lower(digits.back()), &std::pair<char, std::int64_t>::first);
        if (row != std::end(units)) {
            unit = row->second;
            digits.remove_suffix(1);
        }
    }
    const auto number = base::parse_number<std::int64_t>(digits);
    constexpr std::int64_t most = 100'000'000;
    if (!number || *number < 0 || *number > most)
        return fail(ErrorCode::syntax, "not an age: " + base::printable(text) + " (30m, 2h, 3d)");
    return std::chrono::seconds(*number * unit);
}

Result<SizeLimit> parse_size_limit(std::string_view text)
{
    SizeLimit limit;
    std::string_view digits = text;
    if (digits.starts_with('+') || digits.starts_with('-')) {
        limit.sign = digits.front();
        digits.remove_prefix(1);
    }
    unsigned shift = 0;
    if (!digits.empty()) {
        const char unit = base::to_lower(digits.back());
        shift = unit == 'k' ? 10 : unit == 'm' ? 20 : unit == 'g' ? 30 : 0;
        if (shift > 0) digits.remove_suffix(1);
    }
    const auto number = base::parse_number<std::uint64_t>(digits);
    if (!number || *number >= (std::uint64_t{1} << 32))
        return fail(ErrorCode::syntax, "not a size: " + base::printable(text) + " (+1M, -10k, 512)");
    limit.bytes = *number << shift;
    return limit;
}

bool QueueFilter::is_empty() const
{
    return senders.empty() && recipients.empty() && domains.empty() && reasons.empty() && destinations.empty() &&
           clients.empty() && queues.empty() && !older && !younger && !larger && !smaller && !exactly && ids.empty();
}

bool QueueFilter::matches(const QueueEntry& entry, std::int64_t now) const
{
    if (!ids.empty()) {
        const auto id = mail::parse_queue_id(entry.id);
        if (!id || !ids.contains(id->value)) return false;
    }
    if (!queues.empty() && !queues.contains(entry.queue_name)) return false;
    const std::chrono::seconds age(now - entry.arrived_at);
    if ((older && age <= *older) || (younger && age >= *younger)) return false;
    if ((larger && entry.size <= *larger) || (smaller && entry.size >= *smaller) || (exactly && entry.size != *exactly))
        return false;
    const auto is_sender = [&](const std::string& wanted) {
        const bool is_null = wanted.empty() || wanted == "<>" || base::equal_ignoring_case(wanted, null_sender);
        return is_null ? entry.sender.empty() : fits(entry.sender, wanted) && (!entry.sender.empty() || wanted == "*");
    };
    if (!has_any(senders, is_sender)) return false;
    const auto any_recipient = [&](auto&& is_it) { return std::ranges::any_of(entry.recipients, is_it); };
    if (!has_any(recipients, [&](const std::string& wanted) {
            return any_recipient([&](const auto& r) { return fits(r.address, wanted); });
        }))
        return false;
    if (!has_any(domains, [&](const std::string& wanted) {
            return any_recipient([&](const auto& r) { return is_in_domain(r.address, wanted); });
        }))
        return false;
    const auto has_reason = [&](const std::string& wanted) {
        return any_recipient(
            [text = base::lower(wanted)](const auto& r) { return base::lower(r.reason).contains(text); });
    };
    if (!has_any(reasons, has_reason)) return false;
    return has_any(clients, [&](const std::string& wanted) { return is_client(entry, wanted); });
}

}  // namespace ekiden::tools
