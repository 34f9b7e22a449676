// The scheduler: wakes messages, resolves their recipients, gives each destination its turns, and stops in order.
//
// Lives on one core; the store tells it about new mail from the committer's thread, control requests come by post.
// Deferred messages cost sixteen bytes each here: a heap of (time, id); everything else is read when due.
#pragma once

#include "config/settings.hpp"
#include "deliver/transports.hpp"
#include "net/cores.hpp"
#include "net/gate.hpp"
#include "queue/store.hpp"
#include "rewrite/resolve.hpp"
#include "schedule/destination.hpp"
#include "schedule/settle.hpp"
#include "schedule/slots.hpp"
#include "schedule/turns.hpp"

#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace ekiden::schedule {

// What the scheduler works with; replaced as a whole on reload. Jobs in flight keep what they began with.
struct World {
    config::SettingsPtr settings;
    std::shared_ptr<const rewrite::Resolver> resolver;
    std::shared_ptr<const deliver::Transports> transports;
    std::shared_ptr<const Settler> settler;
    Logger qmgr{"postfix/qmgr"};
    std::string double_bounce_name;            // local part of double_bounce_sender: mail for it ends here
    std::string filter_next_hop;               // default_filter_nexthop
    verify::ProbeSender probe_sender;          // and for this one, if it is an address that passes
    std::shared_ptr<const rewrite::Resolver> probe_resolver;   // the way of probes (address_verify_relayhost …)
    std::size_t active_limit = 20000;          // qmgr_message_active_limit
    std::size_t recipient_limit = 20000;       // qmgr_message_recipient_limit: of long lists in memory
    std::chrono::seconds dead_destination_time{300};   // minimal_backoff_time
};
using WorldPtr = std::shared_ptr<const World>;
WorldPtr make_world(config::SettingsPtr settings, std::shared_ptr<const rewrite::Resolver> resolver,
                    std::shared_ptr<const deliver::Transports> transports,
                    std::shared_ptr<const report::Bouncer> bouncer, queue::Store& store,
                    std::shared_ptr<verify::Verifier> verifier = nullptr);

class Scheduler : public queue::Listener {
public:
    Scheduler(net::Cores& cores, net::Core& home, queue::Store& store, WorldPtr world);

    // Reads the index and begins. Any thread, once.
    void start();
    // No new jobs; waits for those in flight. From a coroutine on any core.
    Task<void> stop();
    void use(WorldPtr world);              // any thread

    // Operator's wishes; any thread.
    void flush_all();                                 // postqueue -f
    void flush(mail::QueueId id);                     // postqueue -i
    void flush_site(std::string domain);              // postqueue -s, ETRN: recipients of that domain
    // The ids being delivered right now, for the '*' of the listing. From a coroutine on any core.
    Task<std::unordered_set<std::uint64_t>> active_ids();

    // queue::Listener, on the committer's thread.
    void on_new(std::vector<New> messages) override;
    void on_change(mail::QueueId id, queue::Change change) override;
    void on_trouble(const std::string& what) override;
    void on_recovered() override;

private:
    struct TransportState {
        std::string name;
        Slots slots;                           // how many jobs may run
        bool has_room_for_waiting = false;     // else all destinations take turns in `quick`
        Turns<Destination*> quick, unproven;   // destinations whose turn comes: those that answer, and the others
        std::unordered_set<std::string>
            answering;                         // keys of quick destinations that had nothing to do and were dropped
        bool waits_for_slots = false;          // somebody looks again when a job has become a slow one
        SteadyTime not_before{};               // transport_rate_delay: the next job starts no earlier
        bool is_paused = false;                // somebody wakes it then
        bool is_pumping = false;
        std::unordered_map<std::string, std::unique_ptr<Destination>> destinations;
    };
    struct Waiting {
        std::uint64_t id;
        bool is_forced;      // tried although it is not due
        bool is_flushed = false;   // the operator asked: defer_transports do not hold it up
    };
    struct Due {
        std::int64_t at;             // microseconds since 1970
        std::uint64_t id;
        bool operator>(const Due& other) const { return at > other.at; }
    };

    void begin();
    void forget_dead_destinations();
    Task<void> feed(net::Gate::Pass pass);                                   // backlog → active, one at a time
    void wake_feeder();
    Task<void> read_and_activate(Waiting waiting, net::Gate::Pass pass);
    Task<void> activate(queue::Loaded loaded, bool is_flushed, net::Gate::Pass pass);
    bool must_wait_for_memory(const Waiting& waiting, std::size_t recipients);
    void give_back_memory(const ActiveMessage& message);
    static void return_to_system(const ActiveMessage& message);
    struct RouteKey {
        std::string transport, destination,
            next_hop;  // destination: the next hop, or the recipient (recipient_limit 1)
        auto operator<=>(const RouteKey&) const = default;
    };
    using Routes = std::map<RouteKey, std::vector<std::uint32_t>>;
    static RouteKey key_of(const rewrite::Route& route, const std::string& recipient, const World& world);
    bool settle_without_route(const ActivePtr& message, std::uint32_t index, const Result<rewrite::Route>& route,
                              const World& world);
    Task<void> assign(ActivePtr message, Routes routes);
    Task<void> wait_for_room(ActivePtr message);
    static void leave_line(ActiveMessage& message,
                           std::size_t recipients);  // and let the next ones of a long list come
    void pump(TransportState& transport);
    void give_turns(TransportState& transport);
    Destination* next_in_turn(TransportState& state, const deliver::Transport* transport);
    Task<void> look_at_slots(std::string transport, SteadyTime at, net::Gate::Pass pass);
    void make_ready(TransportState& transport, Destination& destination);
    bool start_job(TransportState& state, const deliver::Transport& transport, Destination& destination);
    Task<void> run_job(deliver::Job job, deliver::AgentPtr agent, bool runs_here, Destination* destination,
                       ActivePtr message, WorldPtr world, Slots::Ticket slot, net::Gate::Pass pass);
    void after_job(TransportState& state, Destination& destination, const std::vector<deliver::Outcome>& outcomes,
                   std::chrono::nanoseconds took);
    void declare_dead(Destination& destination, const mail::Status& reason);
    // Outcomes that need no agent: dead destination, missing transport, rewriting trouble.
    void settle_without_agent(const ActivePtr& message, const std::vector<std::uint32_t>& recipients,
                              std::string transport, deliver::Outcome outcome);
    void finish_if_over(ActivePtr message);
    Task<void> finish(ActivePtr message, WorldPtr world, net::Gate::Pass pass);
    void drop_if_idle(TransportState& state, Destination& destination);
    void withdraw(const std::vector<Destination::Turn>& dropped);
    Task<void> keep_time(net::Gate::Pass pass);
    Task<void> revisit(std::string transport, std::string destination, SteadyTime at, net::Gate::Pass pass);
    Task<void> resume(std::string transport, net::Gate::Pass pass);
    void schedule_at(mail::QueueId id, WallTime at);
    TransportState& state_of(const std::string& transport);
    Window::Limits limits_of(const deliver::Transport& transport) const;
    static Slots::Limits slots_of(const deliver::Transport* transport);

    net::Cores& cores_;
    net::Core& home_;
    queue::Store& store_;
    WorldPtr world_;
    net::Gate gate_;
    bool is_stopping_ = false;
    std::unordered_map<mail::QueueId, ActivePtr> active_;
    std::unordered_set<std::uint64_t> activating_;                // being read or resolved
    std::deque<Waiting> backlog_;                                 // to be read when there is room
    std::deque<Waiting> long_lists_;  // to be read when there is memory for their recipients
    std::size_t listed_recipients_ = 0;                           // of the long lists in memory
    std::deque<New> fresh_;  // new mail with content at hand; takes turns with the backlog
    bool is_fresh_next_ = true;
    std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
    std::map<std::string, TransportState, std::less<>> transports_;
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, net::Executor>
        timer_, feeder_;
    bool is_feeder_idle_ = false;
};

}  // namespace ekiden::schedule
