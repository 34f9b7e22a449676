// Turns: which destination goes next, the jobs they get, and what a job's end means for its destination.
#include "schedule/carry_out.hpp"
#include "schedule/scheduler.hpp"

namespace ekiden::schedule {

using deliver::Outcome;

namespace {

// Dead destinations are remembered until their time is over; past this many, those that are over are swept.
constexpr std::size_t remembered_destinations = 10000;

}  // namespace

Scheduler::TransportState& Scheduler::state_of(const std::string& transport)
{
    auto [at, is_new] = transports_.try_emplace(transport);
    if (is_new) at->second.name = transport;
    return at->second;
}

Window::Limits Scheduler::limits_of(const deliver::Transport& transport) const
{
    auto divisor = [](bool by_window, bool by_root) {
        return by_window ? FeedbackRule::Divisor::concurrency
               : by_root ? FeedbackRule::Divisor::square_root
                         : FeedbackRule::Divisor::none;
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
    if (destination.is_ready || !destination.has_waiting() || destination.in_flight >= destination.window().size())
        return;
    destination.is_ready = true;
    (destination.is_quick || !state.has_room_for_waiting ? state.quick : state.unproven)
        .add(destination.first_in_line(), &destination);
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
    while (!is_stopping_ && base::steady_now() < at)
        co_await net::sleep_for(std::chrono::duration_cast<std::chrono::microseconds>(at - base::steady_now()) +
                                std::chrono::milliseconds(1));
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
                leave_line(*turn.message, turn.recipients.size());
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
    asio::co_spawn(home_.context(),
                   run_job(std::move(job), transport.agent, runs_here, &destination, std::move(turn->message), world_,
                           std::move(slot), gate_.enter()),
                   asio::detached);
    return true;
}

Task<void> Scheduler::run_job(deliver::Job job, deliver::AgentPtr agent, bool runs_here, Destination* destination,
                              ActivePtr message, WorldPtr world, Slots::Ticket slot, net::Gate::Pass pass)
{
    std::vector<Outcome> outcomes;
    const bool is_alone = !job.envelope->verp_delimiters.empty();
    const std::uint32_t place = job.recipients.front();
    if (is_alone) job.recipients = {0};
    if (runs_here) outcomes = co_await carry_out(agent, job);
    else outcomes = co_await carry_out(agent, job, cores_.next().executor());
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
    leave_line(*message, job.recipients.size());
    finish_if_over(std::move(message));
    pump(state);
}

void Scheduler::after_job(TransportState& state, Destination& destination, const std::vector<Outcome>& outcomes,
                          std::chrono::nanoseconds took)
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
            declare_dead(destination, trouble->status);
        } else {
            destination.dead_until = base::steady_now() + world_->dead_destination_time;   // how long it is remembered
        }
        if (transport->rate_delay.count() > 0) {
            destination.not_before = base::steady_now() + transport->rate_delay;
            asio::co_spawn(home_.context(),
                           revisit(state.name, destination.key(), destination.not_before, gate_.enter()),
                           asio::detached);
        }
    }
    make_ready(state, destination);
    drop_if_idle(state, destination);
}

// Live destinations must not wait behind a dead one: what waits for it is deferred at once, and so is what comes until
// dead_until.
void Scheduler::declare_dead(Destination& destination, const mail::Status& reason)
{
    destination.dead_until = base::steady_now() + world_->dead_destination_time;
    destination.dead_reason = {reason.code, "delivery temporarily suspended: " + reason.text};
    if (destination.dead_reason.code.starts_with('5')) destination.dead_reason.code[0] = '4';
    for (auto& turn : destination.take_all()) {
        Outcome outcome;
        outcome.status = destination.dead_reason;
        leave_line(*turn.message, turn.recipients.size());
        settle_without_agent(turn.message, turn.recipients, "error", std::move(outcome));
    }
}

Task<void> Scheduler::revisit(std::string transport, std::string destination, SteadyTime at, net::Gate::Pass pass)
{
    // In short steps: a stop must not wait for a long rate delay.
    while (!is_stopping_ && base::steady_now() < at)
        co_await net::sleep_for(std::min<Duration>(std::chrono::duration_cast<Duration>(at - base::steady_now()),
                                                   std::chrono::milliseconds(200)));
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
        co_await net::sleep_for(
            std::min<Duration>(std::chrono::duration_cast<Duration>(state.not_before - base::steady_now()),
                               std::chrono::milliseconds(200)));
    }
    state.is_paused = false;
    pump(state);
}

void Scheduler::drop_if_idle(TransportState& state, Destination& destination)
{
    bool is_idle = destination.in_flight == 0 && !destination.has_waiting() && !destination.is_ready &&
                   destination.not_before <= base::steady_now();
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

}  // namespace ekiden::schedule
