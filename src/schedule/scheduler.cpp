#include "schedule/scheduler.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "report/delivery_log.hpp"
#include "verify/probe_route.hpp"

namespace ekiden::schedule {

using deliver::Outcome;

namespace {

// Dead destinations are remembered until their time is over; past this many, those that are over are swept.
constexpr std::size_t remembered_destinations = 10000;
// Recipients of a long list that stand in line before the next ones are brought to their destinations.
constexpr std::size_t least_in_line = 1000;

std::string error_process(const Logger& qmgr)
{
    // The error transport's process stands beside qmgr's in the log: same prefix, other name.
    std::string tag = qmgr.tag();
    return tag.substr(0, tag.rfind('/') + 1) + "error";
}

}  // namespace

WorldPtr make_world(config::SettingsPtr settings, std::shared_ptr<const rewrite::Resolver> resolver,
                    std::shared_ptr<const deliver::Transports> transports, std::shared_ptr<const report::Bouncer> bouncer, queue::Store& store,
                    std::shared_ptr<verify::Verifier> verifier)
{
    SettlePolicy policy;
    policy.backoff = {settings->time("minimal_backoff_time"), settings->time("maximal_backoff_time")};
    policy.maximal_queue_lifetime = settings->time("maximal_queue_lifetime");
    policy.bounce_queue_lifetime = settings->time("bounce_queue_lifetime");
    policy.delay_warning_time = settings->time("delay_warning_time");
    policy.confirms_delay_cleared = settings->boolean("confirm_delay_cleared");
    policy.bounces_one_by_one = !settings->boolean("disable_verp_bounces");
    policy.is_soft_bounce = settings->boolean("soft_bounce");
    policy.delay_digits = static_cast<int>(settings->integer("delay_logging_resolution_limit"));
    policy.qmgr = Logger(settings->str("syslog_name") + "/qmgr");

    auto world = std::make_shared<World>();
    world->qmgr = policy.qmgr;
    world->active_limit = static_cast<std::size_t>(settings->integer("qmgr_message_active_limit"));
    world->recipient_limit = static_cast<std::size_t>(settings->integer("qmgr_message_recipient_limit"));
    world->dead_destination_time = settings->time("minimal_backoff_time");
    std::string double_bounce = settings->str("double_bounce_sender");
    world->double_bounce_name = double_bounce.substr(0, double_bounce.find('@'));
    world->filter_next_hop = settings->str("default_filter_nexthop");
    world->settler = std::make_shared<const Settler>(store, std::move(bouncer), std::move(policy), std::move(verifier));
    world->probe_sender = verify::ProbeSender::from(*settings, *resolver);
    world->probe_resolver = verify::probe_resolver(settings, resolver);
    world->settings = std::move(settings);
    world->resolver = std::move(resolver);
    world->transports = std::move(transports);
    return world;
}

Scheduler::Scheduler(net::Cores& cores, net::Core& home, queue::Store& store, WorldPtr world)
    : cores_(cores), home_(home), store_(store), world_(std::move(world)), gate_(home.executor()), timer_(home.executor()), feeder_(home.executor())
{
    timer_.expires_at(SteadyTime::max());
    feeder_.expires_at(SteadyTime::max());
}

// ---- Start, stop, requests from other threads

void Scheduler::start()
{
    home_.post([this] { begin(); });
}

void Scheduler::begin()
{
    store_.for_each([this](const queue::Summary& summary) {
        if (summary.state == queue::State::incoming) backlog_.push_back({summary.id.value, true});
        else if (summary.state == queue::State::deferred) due_.push({summary.next_attempt_at.time_since_epoch().count(), summary.id.value});
        return true;
    });
    asio::co_spawn(home_.context(), feed(gate_.enter()), asio::detached);
    asio::co_spawn(home_.context(), keep_time(gate_.enter()), asio::detached);
}

Task<void> Scheduler::stop()
{
    co_await asio::dispatch(home_.executor(), use_task);
    is_stopping_ = true;
    gate_.close();
    timer_.cancel();
    feeder_.cancel();
    co_await gate_.wait();
}

void Scheduler::use(WorldPtr world)
{
    home_.post([this, world = std::move(world)]() mutable {
        world_ = std::move(world);
        for (auto& [name, state] : transports_) pump(state);
        wake_feeder();
    });
}

void Scheduler::flush_all()
{
    home_.post([this] {
        for (auto& [name, state] : transports_) {
            for (auto& [key, destination] : state.destinations) destination->dead_until = {};
        }
        store_.for_each([this](const queue::Summary& summary) {
            if (summary.state == queue::State::deferred) backlog_.push_back({summary.id.value, true, true});
            return true;
        });
        wake_feeder();
    });
}

void Scheduler::flush(mail::QueueId id)
{
    home_.post([this, id] {
        for (auto& [name, state] : transports_) {
            for (auto& [key, destination] : state.destinations) destination->dead_until = {};
        }
        backlog_.push_back({id.value, true, true});
        wake_feeder();
    });
}

void Scheduler::flush_site(std::string domain)
{
    // Recipients are in the log, not in the index: read it where blocking is allowed, then ask for each message.
    std::thread([this, domain = base::lower(domain)] {
        (void)store_.list([&](const queue::Summary& summary, const queue::Loaded& loaded) {
            if (summary.state != queue::State::deferred) return true;
            for (const queue::Pending& pending : loaded.pending) {
                auto parts = mail::split_address(loaded.envelope->recipients[pending.index].address);
                if (!base::equal_ignoring_case(parts.domain, domain)) continue;
                flush(summary.id);
                break;
            }
            return true;
        });
    }).detach();
}

Task<std::unordered_set<std::uint64_t>> Scheduler::active_ids()
{
    auto caller = co_await net::this_executor();
    co_await asio::dispatch(home_.executor(), use_task);
    std::unordered_set<std::uint64_t> ids;
    for (const auto& [id, message] : active_) ids.insert(id.value);
    co_await asio::post(caller, use_task);
    co_return ids;
}

void Scheduler::on_new(std::vector<New> messages)
{
    home_.post([this, messages = std::move(messages)]() mutable {
        for (New& message : messages) {
            if (message.envelope->is_held) continue;
            // With the active queue full, content would only fill memory: it is read back when its turn comes.
            if (fresh_.size() + active_.size() >= world_->active_limit) backlog_.push_back({message.envelope->id.value, true});
            else fresh_.push_back(std::move(message));
        }
        wake_feeder();
    });
}

void Scheduler::on_change(mail::QueueId id, queue::Change change)
{
    home_.post([this, id, change] {
        auto at = active_.find(id);
        switch (change) {
        case queue::Change::hold:
            if (at != active_.end()) at->second->is_withdrawn = true;
            break;
        case queue::Change::remove:
            if (at != active_.end()) at->second->is_withdrawn = at->second->is_removed = true;
            break;
        case queue::Change::expire:
            if (at != active_.end()) at->second->is_expired = true;
            else backlog_.push_back({id.value, true});
            break;
        case queue::Change::release:
        case queue::Change::requeue: backlog_.push_back({id.value, true}); break;
        }
        wake_feeder();
    });
}

void Scheduler::on_trouble(const std::string& what)
{
    home_.post([this, what] { world_->qmgr.error("queue: {} -- no mail is accepted until this is mended", what); });
}

void Scheduler::on_recovered()
{
    home_.post([this] { world_->qmgr.info("queue: writing works again"); });
}

// ---- Turns

Scheduler::TransportState& Scheduler::state_of(const std::string& transport)
{
    auto [at, is_new] = transports_.try_emplace(transport);
    if (is_new) at->second.name = transport;
    return at->second;
}

Window::Limits Scheduler::limits_of(const deliver::Transport& transport) const
{
    auto divisor = [](bool by_window, bool by_root) {
        return by_window ? FeedbackRule::Divisor::concurrency : by_root ? FeedbackRule::Divisor::square_root : FeedbackRule::Divisor::none;
    };
    Window::Limits limits;
    limits.initial = std::max(1, transport.initial_destination_concurrency);
    limits.maximum = transport.rate_delay.count() > 0 ? 1 : transport.destination_concurrency_limit;
    limits.failed_cohort_limit = transport.failed_cohort_limit;
    limits.positive = {transport.positive_feedback, divisor(transport.positive_by_window, transport.positive_by_sqrt)};
    limits.negative = {transport.negative_feedback, divisor(transport.negative_by_window, transport.negative_by_sqrt)};
    return limits;
}

Slots::Limits Scheduler::slots_of(const deliver::Transport* transport)
{
    if (!transport) return {0, 0};
    return {static_cast<std::size_t>(transport->process_limit), static_cast<std::size_t>(transport->waiting_limit)};
}

void Scheduler::make_ready(TransportState& state, Destination& destination)
{
    if (destination.is_ready || !destination.has_waiting() || destination.in_flight >= destination.window().size()) return;
    destination.is_ready = true;
    (destination.is_quick || !state.has_room_for_waiting ? state.quick : state.unproven).add(destination.first_in_line(), &destination);
}

void Scheduler::pump(TransportState& state)
{
    // A job that is over at once (discard, error) comes back here from within: the loop that started it goes on, or a
    // thousand destinations would stand on the stack.
    if (state.is_pumping) return;
    state.is_pumping = true;
    give_turns(state);
    state.is_pumping = false;
}

// The destination whose turn it is and whose job has room; those that answer come first. Null when there is none.
Destination* Scheduler::next_in_turn(TransportState& state, const deliver::Transport* transport)
{
    Slots::Limits limits = slots_of(transport);
    for (bool is_quick : {true, false}) {
        Turns<Destination*>& ready = is_quick ? state.quick : state.unproven;
        if (ready.empty()) continue;
        if (state.slots.has_room(limits, is_quick)) return ready.take();
        if (!is_quick || state.waits_for_slots) continue;
        state.slots.age(limits, base::steady_now());
        if (state.slots.has_room(limits, is_quick)) return ready.take();
        if (auto at = state.slots.next_change(limits)) {
            state.waits_for_slots = true;
            asio::co_spawn(home_.context(), look_at_slots(state.name, *at, gate_.enter()), asio::detached);
        }
    }
    return nullptr;
}

Task<void> Scheduler::look_at_slots(std::string transport, SteadyTime at, net::Gate::Pass pass)
{
    while (!is_stopping_ && base::steady_now() < at) co_await net::sleep_for(std::chrono::duration_cast<std::chrono::microseconds>(at - base::steady_now()) + std::chrono::milliseconds(1));
    TransportState& state = state_of(transport);
    state.waits_for_slots = false;
    pump(state);
}

void Scheduler::give_turns(TransportState& state)
{
    const deliver::Transport* transport = world_->transports->find(state.name);
    state.has_room_for_waiting = transport && transport->waiting_limit > 0;
    while (!is_stopping_ && (!state.quick.empty() || !state.unproven.empty())) {
        bool is_paced = transport && transport->transport_rate_delay.count() > 0;
        if (is_paced && base::steady_now() < state.not_before) {
            if (!state.is_paused) asio::co_spawn(home_.context(), resume(state.name, gate_.enter()), asio::detached);
            state.is_paused = true;
            return;
        }
        Destination* next = next_in_turn(state, transport);
        if (!next) return;
        Destination& destination = *next;
        destination.is_ready = false;
        if (!transport) {   // gone with a reload
            for (auto& turn : destination.take_all()) {
                turn.message->in_line -= std::min(turn.message->in_line, turn.recipients.size());
                make_room(*turn.message);
                Outcome outcome;
                outcome.status = {"4.3.0", "mail transport unavailable"};
                settle_without_agent(turn.message, turn.recipients, "error", std::move(outcome));
            }
            continue;
        }
        if (destination.not_before > base::steady_now()) continue;   // revisit() brings it back
        // Before the job, which may be over when start_job() returns, have asked for the next, and have dropped its destination.
        std::string key = destination.key();
        SteadyTime before = state.not_before;
        if (is_paced) state.not_before = base::steady_now() + transport->transport_rate_delay;
        bool has_started = start_job(state, *transport, destination);
        if (!has_started && is_paced) state.not_before = before;
        if (!has_started) {
            drop_if_idle(state, destination);
        } else if (auto at = state.destinations.find(key); at != state.destinations.end()) {
            make_ready(state, *at->second);
        }
    }
}

bool Scheduler::start_job(TransportState& state, const deliver::Transport& transport, Destination& destination)
{
    std::vector<Destination::Turn> dropped;
    auto turn = destination.take(static_cast<std::size_t>(transport.recipient_limit), dropped);
    withdraw(dropped);
    if (!turn) return false;

    deliver::Job job;
    job.envelope = turn->message->envelope;
    job.content = turn->message->content;
    job.transport = transport.name;
    job.next_hop = destination.next_hop();
    job.recipients = std::move(turn->recipients);
    if (!job.envelope->verp_delimiters.empty()) {
        // The agent sees its one recipient and his sender address; run_job() knows whose place in the list that is.
        job.envelope = turn->message->envelope_for(job.recipients.front());
    }
    job.active_at = turn->message->active_at;
    job.started_at = base::wall_now();

    ++destination.in_flight;
    Slots::Ticket slot = state.slots.start(slots_of(&transport), destination.is_quick, base::steady_now());
    // Agents that only answer are not worth a trip to another core.
    bool runs_here = cores_.size() == 1 || transport.program == "error" || transport.program == "discard";
    asio::co_spawn(home_.context(), run_job(std::move(job), transport.agent, runs_here, &destination, std::move(turn->message), world_, std::move(slot), gate_.enter()), asio::detached);
    return true;
}

Task<void> Scheduler::run_job(deliver::Job job, deliver::AgentPtr agent, bool runs_here, Destination* destination, ActivePtr message, WorldPtr world, Slots::Ticket slot, net::Gate::Pass pass)
{
    std::vector<Outcome> outcomes;
    const bool is_alone = !job.envelope->verp_delimiters.empty();
    const std::uint32_t place = job.recipients.front();
    if (is_alone) job.recipients = {0};
    if (runs_here) outcomes = co_await agent->deliver(job);
    else outcomes = co_await net::run_on(cores_.next().executor(), agent->deliver(job));
    if (is_alone) {
        job.envelope = message->envelope;
        job.recipients = {place};
        for (Outcome& outcome : outcomes) outcome.recipient = place;
    }

    TransportState& state = state_of(job.transport);
    --destination->in_flight;
    auto took = state.slots.finish(slot, base::steady_now());
    after_job(state, *destination, outcomes, took);
    world->settler->record(job, std::move(outcomes), agent->logger(), *message);
    message->in_line -= std::min(message->in_line, job.recipients.size());
    make_room(*message);
    finish_if_over(std::move(message));
    pump(state);
}

void Scheduler::after_job(TransportState& state, Destination& destination, const std::vector<Outcome>& outcomes, std::chrono::nanoseconds took)
{
    const deliver::Transport* transport = world_->transports->find(state.name);
    if (transport) {
        const Outcome* trouble = nullptr;
        for (const Outcome& outcome : outcomes) {
            if (outcome.is_destination_trouble) trouble = &outcome;
        }
        auto limits = limits_of(*transport);
        destination.is_quick = !trouble && took < Slots::patience;
        if (!trouble) {
            destination.window().on_success(limits, destination.in_flight + 1);
        } else if (destination.window().on_trouble(limits)) {
            declare_dead(state, destination, trouble->status);
        } else {
            destination.dead_until = base::steady_now() + world_->dead_destination_time;   // how long it is remembered
        }
        if (transport->rate_delay.count() > 0) {
            destination.not_before = base::steady_now() + transport->rate_delay;
            asio::co_spawn(home_.context(), revisit(state.name, destination.key(), destination.not_before, gate_.enter()), asio::detached);
        }
    }
    make_ready(state, destination);
    drop_if_idle(state, destination);
}

// Live destinations must not wait behind a dead one: what waits for it is deferred at once, and so is what comes until
// dead_until.
void Scheduler::declare_dead(TransportState& state, Destination& destination, const mail::Status& reason)
{
    (void)state;
    destination.dead_until = base::steady_now() + world_->dead_destination_time;
    destination.dead_reason = {reason.code, "delivery temporarily suspended: " + reason.text};
    if (destination.dead_reason.code.starts_with('5')) destination.dead_reason.code[0] = '4';
    for (auto& turn : destination.take_all()) {
        Outcome outcome;
        outcome.status = destination.dead_reason;
        turn.message->in_line -= std::min(turn.message->in_line, turn.recipients.size());
        make_room(*turn.message);
        settle_without_agent(turn.message, turn.recipients, "error", std::move(outcome));
    }
}

Task<void> Scheduler::revisit(std::string transport, std::string destination, SteadyTime at, net::Gate::Pass pass)
{
    // In short steps: a stop must not wait for a long rate delay.
    while (!is_stopping_ && base::steady_now() < at) co_await net::sleep_for(std::min<Duration>(std::chrono::duration_cast<Duration>(at - base::steady_now()), std::chrono::milliseconds(200)));
    TransportState& state = state_of(transport);
    auto found = state.destinations.find(destination);
    if (found == state.destinations.end()) co_return;
    make_ready(state, *found->second);
    pump(state);
}

Task<void> Scheduler::resume(std::string transport, net::Gate::Pass pass)
{
    TransportState& state = state_of(transport);
    while (!is_stopping_ && base::steady_now() < state.not_before) {
        co_await net::sleep_for(std::min<Duration>(std::chrono::duration_cast<Duration>(state.not_before - base::steady_now()), std::chrono::milliseconds(200)));
    }
    state.is_paused = false;
    pump(state);
}

void Scheduler::drop_if_idle(TransportState& state, Destination& destination)
{
    bool is_idle = destination.in_flight == 0 && !destination.has_waiting() && !destination.is_ready && destination.not_before <= base::steady_now();
    if (!is_idle) return;
    if (!destination.window().has_trouble()) {
        std::string key = destination.key();
        const deliver::Transport* transport = world_->transports->find(state.name);
        if (transport && transport->waiting_limit > 0) {
            if (state.answering.size() >= remembered_destinations) state.answering.clear();
            if (destination.is_quick) state.answering.insert(key);
            else state.answering.erase(key);
        }
        state.destinations.erase(key);
        return;
    }
    if (state.destinations.size() <= remembered_destinations) return;
    std::erase_if(state.destinations, [](const auto& entry) {
        const Destination& d = *entry.second;
        return d.in_flight == 0 && !d.has_waiting() && !d.is_ready && d.dead_until <= base::steady_now();
    });
}

// ---- Long lists

void Scheduler::make_room(ActiveMessage& message)
{
    if (message.wants_more && (message.in_line < least_in_line || message.is_withdrawn)) std::exchange(message.wants_more, nullptr)();
}

// Until few enough recipients of a long list stand in line that the next ones may come.
Task<void> Scheduler::wait_for_room(ActivePtr message)
{
    net::Executor executor = home_.executor();
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, net::Executor> timer(executor);
    while (!is_stopping_ && !message->is_withdrawn && message->in_line >= least_in_line) {
        // Not for ever: a stop does not know of us.
        timer.expires_after(std::chrono::milliseconds(500));
        message->wants_more = [&timer] { timer.cancel(); };
        boost::system::error_code cancelled;
        co_await timer.async_wait(asio::redirect_error(use_task, cancelled));
        message->wants_more = nullptr;
    }
}

// ---- Outcomes

void Scheduler::withdraw(const std::vector<Destination::Turn>& dropped)
{
    for (const auto& turn : dropped) {
        turn.message->unsettled -= std::min(turn.message->unsettled, turn.recipients.size());
        turn.message->in_line -= std::min(turn.message->in_line, turn.recipients.size());
        make_room(*turn.message);
        finish_if_over(turn.message);
    }
}

void Scheduler::settle_without_agent(const ActivePtr& message, const std::vector<std::uint32_t>& recipients, std::string transport, Outcome outcome)
{
    deliver::Job job;
    job.envelope = message->envelope;
    job.content = message->content;
    job.transport = std::move(transport);
    job.recipients = recipients;
    job.active_at = message->active_at;
    job.started_at = base::wall_now();
    if (outcome.log_name.empty()) outcome.log_name = error_process(world_->qmgr);
    world_->settler->record(job, deliver::same_for_all(job, std::move(outcome)), world_->qmgr, *message);
    finish_if_over(message);
}

void Scheduler::finish_if_over(ActivePtr message)
{
    if (message->unsettled > 0) return;
    auto at = active_.find(message->envelope->id);
    if (at == active_.end() || at->second != message) return;   // finishing already
    message->unsettled = std::numeric_limits<std::size_t>::max();
    asio::co_spawn(home_.context(), finish(std::move(message), world_, gate_.enter()), asio::detached);
}

Task<void> Scheduler::finish(ActivePtr message, WorldPtr world, net::Gate::Pass pass)
{
    mail::QueueId id = message->envelope->id;
    auto again = co_await world->settler->finish(message);
    active_.erase(id);
    give_back_memory(*message);
    if (again) schedule_at(id, *again);
    wake_feeder();
}

// ---- Time

void Scheduler::schedule_at(mail::QueueId id, WallTime at)
{
    bool is_first = due_.empty() || at.time_since_epoch().count() < due_.top().at;
    due_.push({at.time_since_epoch().count(), id.value});
    if (is_first) timer_.cancel();
}

Task<void> Scheduler::keep_time(net::Gate::Pass pass)
{
    while (!is_stopping_) {
        std::int64_t now = base::wall_now().time_since_epoch().count();
        while (!due_.empty() && due_.top().at <= now) {
            backlog_.push_back({due_.top().id, false});
            due_.pop();
        }
        if (!backlog_.empty()) wake_feeder();
        // The wall clock may be set while we sleep on the steady one: look again at least every minute.
        Duration wait = due_.empty() ? Duration(std::chrono::minutes(1)) : std::min<Duration>(Duration(due_.top().at - now), std::chrono::minutes(1));
        timer_.expires_after(wait);
        boost::system::error_code cancelled;
        co_await timer_.async_wait(asio::redirect_error(use_task, cancelled));
    }
}

}  // namespace ekiden::schedule
