#include "schedule/scheduler.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "verify/probe_route.hpp"

namespace ekiden::schedule {

using deliver::Outcome;

namespace {

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
                    std::shared_ptr<const deliver::Transports> transports,
                    std::shared_ptr<const report::Bouncer> bouncer, queue::Store& store,
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
    : cores_(cores), home_(home), store_(store), world_(std::move(world)), gate_(home.executor()),
      timer_(home.executor()), feeder_(home.executor())
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
        else if (summary.state == queue::State::deferred)
            due_.push({summary.next_attempt_at.time_since_epoch().count(), summary.id.value});
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

void Scheduler::forget_dead_destinations()
{
    for (auto& [name, state] : transports_) {
        for (auto& [key, destination] : state.destinations) destination->dead_until = {};
    }
}

void Scheduler::flush_all()
{
    home_.post([this] {
        forget_dead_destinations();
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
        forget_dead_destinations();
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
            if (fresh_.size() + active_.size() >= world_->active_limit)
                backlog_.push_back({message.envelope->id.value, true});
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
            // Else as in Postfix: returned when its next attempt is due, or somebody asks for one.
            if (at != active_.end()) at->second->is_expired = true;
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

// ---- Long lists

void Scheduler::leave_line(ActiveMessage& message, std::size_t recipients)
{
    message.in_line -= std::min(message.in_line, recipients);
    if (message.wants_more && (message.in_line < least_in_line || message.is_withdrawn))
        std::exchange(message.wants_more, nullptr)();
}

// Until few enough recipients of a long list stand in line that the next ones may come.
Task<void> Scheduler::wait_for_room(ActivePtr message)
{
    net::Executor executor = home_.executor();
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, net::Executor>
        timer(executor);
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
        leave_line(*turn.message, turn.recipients.size());
        finish_if_over(turn.message);
    }
}

void Scheduler::settle_without_agent(const ActivePtr& message, const std::vector<std::uint32_t>& recipients,
                                     std::string transport, Outcome outcome)
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
        Duration wait = due_.empty() ? Duration(std::chrono::minutes(1))
                                     : std::min<Duration>(Duration(due_.top().at - now), std::chrono::minutes(1));
        timer_.expires_after(wait);
        boost::system::error_code cancelled;
        co_await timer_.async_wait(asio::redirect_error(use_task, cancelled));
    }
}

}  // namespace ekiden::schedule
