// From the log into the active queue: what is read when, and where its recipients go.
#include "base/text.hpp"
#include "mail/address.hpp"
#include "report/delivery_log.hpp"
#include "schedule/scheduler.hpp"

#include <malloc.h>

namespace ekiden::schedule {

using deliver::Outcome;

namespace {

// How many messages are read and resolved at a time: enough to hide a slow table, few enough to keep the order rough.
constexpr std::size_t activating_limit = 64;
// Recipients after which other work on this core gets its turn.
constexpr std::size_t recipients_at_a_time = 256;
// A message with more recipients is a long list: how many of these are in memory together is limited.
constexpr std::size_t long_list = 1000;
constexpr std::size_t very_long_list = 20000;
// Destinations of one message that are filled at a time. A destination takes a kilobyte, so a list with one for each
// recipient comes in parts; a list with a few thousand domains is whole, and no host is visited more often than it must be.
constexpr std::size_t destinations_at_a_time = 5000;

// Takes the content; what else stands in `loaded` stays there.
ActivePtr make_active(queue::Loaded& loaded, bool is_flushed)
{
    auto message = std::make_shared<ActiveMessage>();
    message->envelope = loaded.envelope;
    message->content = std::move(loaded.content);
    message->active_at = base::wall_now();
    message->was_warned = loaded.was_warned;
    message->is_expired = loaded.is_expired;
    message->unsettled = loaded.pending.size();
    message->is_flushed = is_flushed;
    message->is_traced =
        message->envelope->only_asks() || (message->envelope->purpose == mail::Purpose::trace && loaded.attempts == 0);
    message->listed_recipients = loaded.pending.size() > long_list ? loaded.pending.size() : 0;
    return message;
}

}  // namespace

void Scheduler::wake_feeder()
{
    if (is_feeder_idle_) feeder_.cancel();
}

Task<void> Scheduler::feed(net::Gate::Pass pass)
{
    while (!is_stopping_) {
        bool has_room =
            active_.size() + activating_.size() < world_->active_limit && activating_.size() < activating_limit;
        if (!has_room || (fresh_.empty() && backlog_.empty())) {
            is_feeder_idle_ = true;
            feeder_.expires_at(SteadyTime::max());
            boost::system::error_code cancelled;
            co_await feeder_.async_wait(asio::redirect_error(use_task, cancelled));
            is_feeder_idle_ = false;
            continue;
        }
        // Neither holds up the other when both come faster than they leave.
        bool takes_fresh = !fresh_.empty() && (is_fresh_next_ || backlog_.empty());
        is_fresh_next_ = !takes_fresh;
        if (takes_fresh) {
            New fresh = std::move(fresh_.front());
            fresh_.pop_front();
            mail::QueueId id = fresh.envelope->id;
            if (active_.contains(id) || activating_.contains(id.value)) continue;
            if (must_wait_for_memory({id.value, true}, fresh.envelope->recipients.size())) continue;
            activating_.insert(id.value);
            queue::Loaded loaded;
            loaded.pending.reserve(fresh.envelope->recipients.size());
            for (std::uint32_t i = 0; i < fresh.envelope->recipients.size(); ++i) loaded.pending.push_back({i, {}});
            loaded.envelope = std::move(fresh.envelope);
            loaded.content = std::move(fresh.content);
            asio::co_spawn(home_.context(), activate(std::move(loaded), false, gate_.enter()), asio::detached);
        } else {
            Waiting waiting = backlog_.front();
            backlog_.pop_front();
            if (active_.contains(mail::QueueId{waiting.id}) || !activating_.insert(waiting.id).second) continue;
            asio::co_spawn(home_.context(), read_and_activate(waiting, gate_.enter()), asio::detached);
        }
    }
}

Task<void> Scheduler::read_and_activate(Waiting waiting, net::Gate::Pass pass)
{
    mail::QueueId id{waiting.id};
    auto loaded = co_await store_.load(id);
    if (!loaded) {
        activating_.erase(waiting.id);
        if (loaded.error().code() != ErrorCode::not_found) {
            world_->qmgr.error("{}: cannot read the message: {}", format(id), loaded.error().text());
            schedule_at(id, base::wall_now() + world_->dead_destination_time);
        }
        wake_feeder();
        co_return;
    }
    bool is_not_yet_due =
        loaded->state == queue::State::deferred && !waiting.is_forced && loaded->next_attempt_at > base::wall_now();
    if (loaded->state == queue::State::held || is_not_yet_due ||
        must_wait_for_memory(waiting, loaded->pending.size())) {
        activating_.erase(waiting.id);
        wake_feeder();
        co_return;
    }
    co_await activate(std::move(*loaded), waiting.is_flushed, std::move(pass));
}

// True when the message was put aside until other long lists are done. One long list always goes on, however long it is.
bool Scheduler::must_wait_for_memory(const Waiting& waiting, std::size_t recipients)
{
    if (recipients <= long_list) return false;
    if (listed_recipients_ > 0 && listed_recipients_ + recipients > world_->recipient_limit) {
        long_lists_.push_back(waiting);
        return true;
    }
    listed_recipients_ += recipients;
    return false;
}

void Scheduler::give_back_memory(const ActiveMessage& message)
{
    if (message.listed_recipients == 0) return;
    return_to_system(message);
    listed_recipients_ -= std::min(listed_recipients_, message.listed_recipients);
    // One after another: each sees whether there is room by then.
    for (; !long_lists_.empty(); long_lists_.pop_back()) backlog_.push_front(long_lists_.back());
}

// What reading and resolving a very long list leaves free lies scattered, and the library would keep it.
void Scheduler::return_to_system(const ActiveMessage& message)
{
    if (message.listed_recipients >= very_long_list) ::malloc_trim(0);
}

Scheduler::RouteKey Scheduler::key_of(const rewrite::Route& route, const std::string& recipient, const World& world)
{
    // The sender, or a filter, may choose another next hop for the same recipient: that is another destination.
    std::string destination = base::lower(route.next_hop);
    const deliver::Transport* transport = world.transports->find(route.transport);
    if (transport && transport->recipient_limit == 1) {
        std::string person = base::lower(route.recipient.empty() ? recipient : route.recipient);
        destination =
            mail::split_address(person).domain == destination ? std::move(person) : person + " via " + destination;
    }
    return {route.transport, std::move(destination), route.next_hop};
}

// True when no agent is needed to tell what becomes of the recipient: it is settled.
bool Scheduler::settle_without_route(const ActivePtr& message, std::uint32_t index, const Result<rewrite::Route>& route,
                                     const World& world)
{
    const std::string& address = message->envelope->recipients[index].address;
    Outcome outcome;
    outcome.recipient = index;
    if (!route) {
        world.qmgr.warning("{}: address resolution of <{}> failed: {}", format(message->envelope->id), address,
                           route.error().text());
        outcome.status = {"4.3.0", "address resolver failure"};
        settle_without_agent(message, {index}, "error", std::move(outcome));
        return true;
    }
    if (route->has_bad_syntax) {
        outcome.kind = Outcome::Kind::bounced;
        outcome.status = {"5.1.3", "bad address syntax"};
        settle_without_agent(message, {index}, "error", std::move(outcome));
        return true;
    }
    // As in Postfix here and not in local(8): a machine that relays everything can do without local delivery.
    const bool is_nobody = base::equal_ignoring_case(mail::split_address(address).local, world.double_bounce_name) ||
                           (world.probe_sender.changes() && world.probe_sender.is_ours(address, base::wall_now()));
    if (route->address_class == rewrite::AddressClass::local && is_nobody) {
        outcome.kind = Outcome::Kind::delivered;
        outcome.status = {"2.0.0", "undeliverable postmaster notification discarded"};
        outcome.log_name = world.qmgr.tag();
        settle_without_agent(message, {index}, "qmgr", std::move(outcome));
        return true;
    }
    return false;
}

Task<void> Scheduler::activate(queue::Loaded loaded, bool is_flushed, net::Gate::Pass pass)
{
    WorldPtr world = world_;
    ActivePtr message = make_active(loaded, is_flushed);
    mail::QueueId id = message->envelope->id;

    report::log_active(world->qmgr, *message->envelope, message->envelope->recipients.size());
    active_.emplace(id, message);
    activating_.erase(id.value);

    const rewrite::Resolver& resolver =
        message->envelope->purpose == mail::Purpose::probe ? *world->probe_resolver : *world->resolver;
    Routes routes;
    std::shared_ptr<mail::Envelope> changed;    // a copy, made only when resolving changes an address
    std::vector<std::uint32_t> indexes;         // without the reasons of the last attempt, which nobody needs now
    indexes.reserve(loaded.pending.size());
    for (const queue::Pending& pending : loaded.pending) indexes.push_back(pending.index);
    std::vector<queue::Pending>().swap(loaded.pending);
    std::size_t resolved = 0;
    for (std::uint32_t index : indexes) {
        if (++resolved % recipients_at_a_time == 0) co_await asio::post(home_.executor(), use_task);
        if (routes.size() >= destinations_at_a_time) {
            if (changed) message->envelope = std::exchange(changed, nullptr);
            co_await assign(message, std::exchange(routes, {}));
            return_to_system(*message);
            wake_feeder();
            co_await wait_for_room(message);
            if (is_stopping_) co_return;
            if (message->is_withdrawn) {   // the rest is the operator's
                message->unsettled -= std::min(message->unsettled, indexes.size() - resolved + 1);
                break;
            }
        }
        const mail::Recipient& recipient = message->envelope->recipients[index];
        auto route = co_await resolver.resolve(message->envelope->sender, recipient.address);
        if (settle_without_route(message, index, route, *world)) continue;
        // A filter would answer for the address, or take the question for mail.
        if (const std::string& filter = message->envelope->filter; !filter.empty() && !message->envelope->only_asks()) {
            bool names_no_hop = filter.find(':') == filter.npos || filter.ends_with(':');
            std::string_view colon = filter.ends_with(':') ? "" : ":";
            rewrite::apply_filter(*route,
                                  names_no_hop ? fmt::format("{}{}{}", filter, colon, world->filter_next_hop) : filter,
                                  recipient.address);
        }
        if (route->recipient != recipient.address && !route->recipient.empty()) {
            if (!changed) changed = std::make_shared<mail::Envelope>(*message->envelope);
            mail::Recipient& copy = changed->recipients[index];
            if (copy.original.empty()) copy.original = copy.address;
            copy.address = route->recipient;
        }
        routes[key_of(*route, recipient.address, *world)].push_back(index);
    }
    if (changed) message->envelope = std::move(changed);
    co_await assign(message, std::move(routes));
    return_to_system(*message);
    finish_if_over(message);    // nobody was left to deliver to
    wake_feeder();
}

Task<void> Scheduler::assign(ActivePtr message, Routes routes)
{
    std::size_t assigned = 0;
    for (auto& [key, recipients] : routes) {
        if (++assigned % recipients_at_a_time == 0) co_await asio::post(home_.executor(), use_task);
        const deliver::Transport* transport = world_->transports->find(key.transport);
        Outcome outcome;
        if (!transport) {
            world_->qmgr.warning("connect to transport private/{}: No such file or directory", key.transport);
            outcome.status = {"4.3.0", "mail transport unavailable"};
            settle_without_agent(message, recipients, "error", std::move(outcome));
            continue;
        }
        if (transport->is_deferred && !message->is_flushed) {
            outcome.status = {"4.3.2", "deferred transport"};
            settle_without_agent(message, recipients, "error", std::move(outcome));
            continue;
        }
        TransportState& state = state_of(key.transport);
        state.has_room_for_waiting = transport->waiting_limit > 0;
        auto& slot = state.destinations[key.destination];
        if (!slot) {
            slot = std::make_unique<Destination>(key.destination, key.transport, key.next_hop, limits_of(*transport));
            slot->is_quick = state.answering.contains(key.destination);
        }
        Destination& destination = *slot;
        if (destination.window().is_dead()) {
            if (base::steady_now() < destination.dead_until) {
                outcome.status = destination.dead_reason;
                outcome.is_destination_trouble = true;
                settle_without_agent(message, recipients, "error", std::move(outcome));
                continue;
            }
            destination.window().revive(limits_of(*transport));
        } else if (destination.window().has_trouble() && base::steady_now() >= destination.dead_until) {
            destination.window().revive(limits_of(*transport));   // long ago
        }
        message->in_line += recipients.size();
        destination.add(message, std::move(recipients));
        make_ready(state, destination);
        pump(state);
    }
}

}  // namespace ekiden::schedule
