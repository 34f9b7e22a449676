#include "queue/listing.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"

#include <fmt/format.h>

#include <ctime>
#include <map>

namespace ekiden::queue {

namespace {

constexpr std::size_t piece_size = 64 << 10;

std::string_view queue_name(State state, bool is_active)
{
    if (is_active) return "active";
    switch (state) {
    case State::incoming: return "incoming";
    case State::deferred: return "deferred";
    case State::held: return "hold";
    }
    return "incoming";
}

std::string shown_sender(std::string_view sender)
{
    return sender.empty() ? "MAILER-DAEMON" : mail::quote_address(sender);
}

// One entry, wherever it comes from. Recipients with the same reason stand together, in the order in which the reasons
// first appear.
struct Group {
    std::string_view reason;
    std::vector<std::string_view> recipients;
};
struct Entry {
    std::string_view queue_name;
    std::string id;
    bool is_active = false, is_held = false, is_expired = false;
    WallTime arrived_at{};
    std::uint64_t size = 0;
    std::string_view sender;
    std::vector<Group> groups;
    const Loaded* loaded = nullptr;    // of a message in the store
};

std::vector<Group> group_by_reason(const Loaded& loaded)
{
    std::vector<Group> groups;
    std::map<std::string_view, std::size_t> places;
    for (const Pending& pending : loaded.pending) {
        auto [at, is_new] = places.try_emplace(pending.reason.text, groups.size());
        if (is_new) groups.push_back({pending.reason.text, {}});
        groups[at->second].recipients.push_back(loaded.envelope->recipients[pending.index].address);
    }
    return groups;
}

Entry entry_of(const Summary& summary, const Loaded& loaded, bool is_active)
{
    return {.queue_name = queue_name(summary.state, is_active),
            .id = mail::format(summary.id),
            .is_active = is_active,
            .is_held = summary.state == State::held,
            .is_expired = summary.is_expired,
            .arrived_at = loaded.envelope->arrived_at,
            .size = loaded.envelope->size,
            .sender = loaded.envelope->sender,
            .groups = group_by_reason(loaded),
            .loaded = &loaded};
}

Entry entry_of(const ListedMessage& message)
{
    Entry entry{.queue_name = message.queue_name,
                .id = message.id,
                .arrived_at = message.arrived_at,
                .size = message.size,
                .sender = message.sender};
    entry.groups.push_back({"", {message.recipients.begin(), message.recipients.end()}});
    return entry;
}

void append_json_text(std::string& out, std::string_view text)
{
    out += '"';
    for (char c : base::printable(text)) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    out += '"';
}

void append_text(std::string& out, const Entry& entry)
{
    std::time_t arrival = base::to_seconds(entry.arrived_at);
    std::tm local{};
    ::localtime_r(&arrival, &local);
    char stamp[64];
    std::strftime(stamp, sizeof stamp, "%a %b %e %H:%M:%S", &local);
    std::string id = entry.id;
    if (entry.is_active || entry.is_held || !entry.is_expired) id += entry.is_active ? '*' : entry.is_held ? '!' : ' ';
    if (entry.is_expired) id += '#';
    auto out_it = std::back_inserter(out);
    fmt::format_to(out_it, "{:<11} {:>7} {}  {}\n", id, entry.size, stamp, base::printable(shown_sender(entry.sender)));
    for (const Group& group : entry.groups) {
        if (!group.reason.empty()) {
            std::string reason = "(" + base::printable(group.reason) + ")";
            fmt::format_to(out_it, "{:>78}\n", reason);
        }
        for (std::string_view address : group.recipients)
            fmt::format_to(out_it, "{:41}{}\n", "", base::printable(mail::quote_address(address)));
    }
    out += '\n';
}

void append_details(std::string& out, const Loaded& loaded)
{
    const mail::Origin& origin = loaded.envelope->origin;
    const std::pair<std::string_view, const std::string*> texts[] = {
        {"client_name", &origin.client_name}, {"client_address", &origin.client_address}, {"sasl_username", &origin.sasl_username}, {"filter", &loaded.envelope->filter},
    };
    for (const auto& [name, text] : texts) {
        if (text->empty()) continue;
        fmt::format_to(std::back_inserter(out), ", \"{}\": ", name);
        append_json_text(out, *text);
    }
    if (loaded.state == State::deferred)
        fmt::format_to(std::back_inserter(out), ", \"next_attempt\": {}", base::to_seconds(loaded.next_attempt_at));
    fmt::format_to(std::back_inserter(out), ", \"attempts\": {}", loaded.attempts);
}

void append_json(std::string& out, const Entry& entry, bool is_detailed)
{
    fmt::format_to(
        std::back_inserter(out),
        "{{\"queue_name\": \"{}\", \"queue_id\": \"{}\", \"arrival_time\": {}, \"message_size\": {}, \"forced_expire\": {}, \"sender\": ",
        entry.queue_name, entry.id, base::to_seconds(entry.arrived_at), entry.size, entry.is_expired);
    append_json_text(out, shown_sender(entry.sender));
    out += ", \"recipients\": [";
    bool is_first = true;
    for (const Group& group : entry.groups) {
        for (std::string_view address : group.recipients) {
            out += is_first ? "{\"address\": " : ", {\"address\": ";
            is_first = false;
            append_json_text(out, mail::quote_address(address));
            if (!group.reason.empty()) {
                out += ", \"delay_reason\": ";
                append_json_text(out, group.reason);
            }
            out += '}';
        }
    }
    out += ']';
    if (is_detailed && entry.loaded) append_details(out, *entry.loaded);
    out += "}\n";
}

}  // namespace

namespace {

Result<void> write_all(const Store* store, ListingFormat format, const std::function<bool(QueueId)>& is_active,
                       const std::function<bool(std::string_view)>& out, const std::vector<ListedMessage>& more)
{
    std::string piece;
    std::uint64_t count = 0, bytes = 0;
    auto add = [&](const Entry& entry) {
        if (format == ListingFormat::text) {
            if (count == 0) piece += "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n";
            append_text(piece, entry);
        } else {
            append_json(piece, entry, format == ListingFormat::detailed);
        }
        ++count;
        bytes += entry.size;
        if (piece.size() < piece_size) return true;
        const bool goes_on = out(piece);
        piece.clear();
        return goes_on;
    };
    bool goes_on = true;
    if (store)
        EKIDEN_TRY(store->list([&](const Summary& summary, const Loaded& loaded) {
            return goes_on = add(entry_of(summary, loaded, is_active(summary.id)));
        }));
    for (const ListedMessage& message : more) {
        if (goes_on) goes_on = add(entry_of(message));
    }
    if (!goes_on) return {};
    if (format == ListingFormat::text) {
        if (count == 0) piece = "Mail queue is empty\n";
        else
            fmt::format_to(std::back_inserter(piece), "-- {} Kbytes in {} Request{}.\n", bytes / 1024, count,
                           count == 1 ? "" : "s");
    }
    out(piece);
    return {};
}

}  // namespace

Result<void> write_listing(const Store& store, ListingFormat format, const std::function<bool(QueueId)>& is_active,
                           const std::function<bool(std::string_view)>& out, const std::vector<ListedMessage>& more)
{
    return write_all(&store, format, is_active, out, more);
}

void write_listing(ListingFormat format, const std::function<bool(std::string_view)>& out,
                   const std::vector<ListedMessage>& messages)
{
    (void)write_all(nullptr, format, {}, out, messages);
}

}  // namespace ekiden::queue
