#include "deliver/smtp/reuse.hpp"

namespace ekiden::deliver::smtp {

namespace {
// A destination that had a delivery this recently is likely to have another.
constexpr seconds close_behind{1};
constexpr std::chrono::milliseconds sweep_interval{250};
}  // namespace

Reuse::~Reuse() { close_all(); }

Reuse::Pass::Pass(std::shared_ptr<Reuse> reuse, std::string destination)
    : reuse_(std::move(reuse)), destination_(std::move(destination))
{
    auto& entry = reuse_->destinations_[destination_];
    const SteadyTime now = base::steady_now();
    follows_closely_ = entry.last_started_at != SteadyTime{} && now - entry.last_started_at < close_behind;
    ++entry.deliveries;
    entry.last_started_at = now;
}

Reuse::Pass::~Pass()
{
    auto at = reuse_->destinations_.find(destination_);
    --at->second.deliveries;
    // Remembered for a moment; under a flood of destinations only those with something to lose stay.
    if (reuse_->destinations_.size() > destinations_per_core && at->second.deliveries == 0 && at->second.idle.empty()) {
        reuse_->destinations_.erase(at);
    } else {
        reuse_->schedule_sweep();
    }
}

bool Reuse::Pass::is_busy() const { return follows_closely_ || reuse_->destinations_.at(destination_).deliveries > 1; }

bool Reuse::may_keep(const Session& session, const Options& options) const
{
    if (!session.may_quit()) return false;
    if (options.reuse_count_limit > 0 && session.uses >= options.reuse_count_limit) return false;
    return base::steady_now() - session.opened_at < options.reuse_time_limit;
}

SessionPtr Reuse::take(const std::string& destination, const Options& options)
{
    const auto at = destinations_.find(destination);
    if (at == destinations_.end()) return nullptr;
    while (!at->second.idle.empty()) {
        SessionPtr session = std::move(at->second.idle.back());
        at->second.idle.pop_back();
        --idle_count_;
        if (session->idle_until > base::steady_now() && may_keep(*session, options)) return session;
        session->leave_now();
    }
    return nullptr;
}

void Reuse::keep(const std::string& destination, SessionPtr session, const Options& options)
{
    auto& entry = destinations_[destination];
    if (entry.idle.size() >= sessions_per_destination || idle_count_ >= sessions_per_core) {
        session->leave_now();
        return;
    }
    session->idle_until = base::steady_now() + options.idle_limit;
    entry.idle.push_back(std::move(session));
    ++idle_count_;
    schedule_sweep();
}

void Reuse::give_no_chunks_to(const std::string& relay)
{
    if (without_chunks_.size() >= peers_without_chunks) without_chunks_.erase(without_chunks_.begin());
    without_chunks_.insert(relay);
}

void Reuse::close_all()
{
    for (auto& [name, entry] : destinations_) {
        for (auto& session : entry.idle) session->leave_now();
        entry.idle.clear();
    }
    idle_count_ = 0;
}

void Reuse::schedule_sweep()
{
    if (std::exchange(is_sweeping_, true)) return;
    timer_.expires_after(sweep_interval);
    // Weak: the timer must not keep the cache of an agent that is gone.
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        if (auto self = weak.lock(); self && !error) self->sweep();
    });
}

void Reuse::sweep()
{
    is_sweeping_ = false;
    const SteadyTime now = base::steady_now();
    for (auto at = destinations_.begin(); at != destinations_.end();) {
        auto& entry = at->second;
        while (!entry.idle.empty() && entry.idle.front()->idle_until <= now) {
            entry.idle.front()->leave_now();
            entry.idle.erase(entry.idle.begin());
            --idle_count_;
        }
        const bool is_forgotten =
            entry.idle.empty() && entry.deliveries == 0 && now - entry.last_started_at >= close_behind;
        at = is_forgotten ? destinations_.erase(at) : std::next(at);
    }
    // With deliveries running only, the end of one of them starts the next sweep.
    if (idle_count_ > 0 || std::ranges::any_of(destinations_, [](const auto& d) { return d.second.deliveries == 0; }))
        schedule_sweep();
}

}  // namespace ekiden::deliver::smtp
