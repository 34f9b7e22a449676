// One next hop of one transport: what waits for it, how many deliveries it may have at a time, whether it is dead.
//
// Messages take turns: each turn takes at most recipient_limit recipients of the first message and puts the message
// behind the others if some are left, so a message with 50,000 recipients does not hold up single ones. Lives on the
// scheduler's core.
#pragma once

#include "base/clock.hpp"
#include "deliver/agent.hpp"
#include "mail/status.hpp"
#include "queue/store.hpp"
#include "schedule/feedback.hpp"

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ekiden::schedule {

// A message in the active queue, from the moment it is read until every recipient of this attempt has its outcome.
struct ActiveMessage {
    queue::EnvelopePtr envelope;
    queue::ContentPtr content;
    WallTime active_at{};
    std::size_t unsettled = 0;                   // recipients of this attempt without outcome
    std::vector<std::uint32_t> done;             // delivered in this attempt
    std::vector<deliver::Outcome> failed;        // bounced: reported together when the attempt is over
    std::vector<deliver::Outcome> waiting;       // deferred
    std::vector<deliver::Outcome> reported;      // delivered, and NOTIFY=SUCCESS asked for a report
    bool is_traced = false;                      // the sender, or the one who verifies, hears of every outcome
    std::vector<deliver::Outcome> traced;
    std::size_t listed_recipients = 0;           // those of a long list: counted against the memory for such
    std::size_t in_line = 0;                     // recipients that wait at destinations or are being delivered
    std::function<void()> wants_more;            // there is room for more of a long list; set while it waits for that
    bool was_warned = false;
    bool is_expired = false;                     // postsuper -e
    bool is_flushed = false;                     // postqueue -f, -i, -s: defer_transports do not hold it up
    bool is_withdrawn = false;                   // held or removed by the operator: no new deliveries
    bool is_removed = false;                     // removed: nothing to mark either

    // VERP: the message as this one recipient has it, and nobody else in it. Cheap however long the list is.
    queue::EnvelopePtr envelope_for(std::uint32_t recipient);

private:
    std::shared_ptr<const mail::Envelope> without_recipients_;
};
using ActivePtr = std::shared_ptr<ActiveMessage>;

class Destination {
public:
    Destination(std::string key, std::string transport, std::string next_hop, const Window::Limits& limits)
        : key_(std::move(key)), transport_(std::move(transport)), next_hop_(std::move(next_hop)), window_(limits) {}

    const std::string& key() const { return key_; }
    const std::string& transport() const { return transport_; }
    const std::string& next_hop() const { return next_hop_; }

    void add(ActivePtr message, std::vector<std::uint32_t> recipients);
    bool has_waiting() const { return !waiting_.empty(); }
    std::size_t waiting_messages() const { return waiting_.size(); }
    // The id of the message whose turn is next here; 0 when none waits.
    std::uint64_t first_in_line() const { return waiting_.empty() ? 0 : waiting_.front().message->envelope->id.value; }

    struct Turn {
        ActivePtr message;
        std::vector<std::uint32_t> recipients;
    };
    // The next job's recipients; withdrawn messages are dropped on the way (their recipients come back in `dropped`).
    std::optional<Turn> take(std::size_t recipient_limit, std::vector<Turn>& dropped);
    // Everything that waits (the destination is dead, the transport is gone).
    std::vector<Turn> take_all();

    Window& window() { return window_; }
    int in_flight = 0;
    bool is_quick = false;              // its last job ended well and soon
    bool is_ready = false;              // stands in its transport's turn list
    SteadyTime not_before{};            // rate delay: the next job starts no earlier
    SteadyTime dead_until{};            // window().is_dead(): when to try again
    mail::Status dead_reason;

private:
    struct Waiting {
        ActivePtr message;
        std::vector<std::uint32_t> recipients;
        std::size_t next = 0;
    };
    std::string key_, transport_, next_hop_;
    Window window_;
    std::list<Waiting> waiting_;        // mostly one or none: a deque would take half a kilobyte for each
};

}  // namespace ekiden::schedule
