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

std::string sender_of(const mail::Envelope& envelope) { return envelope.sender.empty() ? "MAILER-DAEMON" : mail::quote_address(envelope.sender); }

// Recipients with the same reason stand together, in the order in which the reasons first appear.
struct Group {
    std::string_view reason;
    std::vector<std::uint32_t> recipients;
};
std::vector<Group> group_by_reason(const Loaded& loaded)
{
    std::vector<Group> groups;
    std::map<std::string_view, std::size_t> places;
    for (const Pending& pending : loaded.pending) {
        auto [at, is_new] = places.try_emplace(pending.reason.text, groups.size());
        if (is_new) groups.push_back({pending.reason.text, {}});
        groups[at->second].recipients.push_back(pending.index);
    }
    return groups;
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

void append_text(std::string& out, const Summary& summary, const Loaded& loaded, bool is_active)
{
    std::time_t arrival = base::to_seconds(loaded.envelope->arrived_at);
    std::tm local{};
    ::localtime_r(&arrival, &local);
    char stamp[64];
    std::strftime(stamp, sizeof stamp, "%a %b %e %H:%M:%S", &local);
    std::string id = mail::format(summary.id);
    id += is_active ? '*' : summary.state == State::held ? '!' : ' ';
    if (summary.is_expired) id += '#';
    auto out_it = std::back_inserter(out);
    fmt::format_to(out_it, "{:<11} {:>7} {}  {}\n", id, loaded.envelope->size, stamp, sender_of(*loaded.envelope));
    for (const Group& group : group_by_reason(loaded)) {
        if (!group.reason.empty()) {
            std::string reason = "(" + base::printable(group.reason) + ")";
            fmt::format_to(out_it, "{:>78}\n", reason);
        }
        for (std::uint32_t index : group.recipients) fmt::format_to(out_it, "{:41}{}\n", "", mail::quote_address(loaded.envelope->recipients[index].address));
    }
    out += '\n';
}

void append_json(std::string& out, const Summary& summary, const Loaded& loaded, bool is_active)
{
    fmt::format_to(std::back_inserter(out), "{{\"queue_name\": \"{}\", \"queue_id\": \"{}\", \"arrival_time\": {}, \"message_size\": {}, \"forced_expire\": {}, \"sender\": ",
                   queue_name(summary.state, is_active), mail::format(summary.id), base::to_seconds(loaded.envelope->arrived_at), loaded.envelope->size, summary.is_expired);
    append_json_text(out, sender_of(*loaded.envelope));
    out += ", \"recipients\": [";
    bool is_first = true;
    for (const Group& group : group_by_reason(loaded)) {
        for (std::uint32_t index : group.recipients) {
            out += is_first ? "{\"address\": " : ", {\"address\": ";
            is_first = false;
            append_json_text(out, mail::quote_address(loaded.envelope->recipients[index].address));
            if (!group.reason.empty()) {
                out += ", \"delay_reason\": ";
                append_json_text(out, group.reason);
            }
            out += '}';
        }
    }
    out += "]}\n";
}

}  // namespace

Result<void> write_listing(const Store& store, ListingFormat format, const std::function<bool(QueueId)>& is_active, const std::function<bool(std::string_view)>& out)
{
    std::string piece;
    std::uint64_t count = 0, bytes = 0;
    bool goes_on = true;
    auto listed = store.list([&](const Summary& summary, const Loaded& loaded) {
        if (format == ListingFormat::text) {
            if (count == 0) piece += "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n";
            append_text(piece, summary, loaded, is_active(summary.id));
        } else {
            append_json(piece, summary, loaded, is_active(summary.id));
        }
        ++count;
        bytes += loaded.envelope->size;
        if (piece.size() < piece_size) return true;
        goes_on = out(piece);
        piece.clear();
        return goes_on;
    });
    if (!listed) return listed;
    if (!goes_on) return {};
    if (format == ListingFormat::text) {
        if (count == 0) piece = "Mail queue is empty\n";
        else fmt::format_to(std::back_inserter(piece), "-- {} Kbytes in {} Request{}.\n", bytes / 1024, count, count == 1 ? "" : "s");
    }
    out(piece);
    return {};
}

}  // namespace ekiden::queue
