#include "net/deadline.hpp"

namespace ekiden::net {

// Outlives the Deadline while the timer's last handler is under way.
struct Deadline::Alarm {
    explicit Alarm(Executor executor) : timer(std::move(executor)) {}
    Timer timer;
    Deadline* owner = nullptr;
    unsigned generation = 0;   // a cancelled wait may already be queued with success
};

Deadline::Deadline(Executor executor, std::function<void()> on_expiry)
    : on_expiry_(std::move(on_expiry)), alarm_(std::make_shared<Alarm>(std::move(executor)))
{
    alarm_->owner = this;
}

Deadline::~Deadline()
{
    alarm_->owner = nullptr;
    alarm_->timer.cancel();
}

void Deadline::set(SteadyTime at)
{
    at_ = at;
    if (waiting_ > 0 && at_ < armed_for_) arm();
}

void Deadline::begin_wait()
{
    ++waiting_;
    if (at_ < armed_for_) arm();
}

void Deadline::arm()
{
    armed_for_ = at_;
    const unsigned generation = ++alarm_->generation;
    // Relative, so that a held clock (tests) still gets a deadline in real time.
    alarm_->timer.expires_after(at_ - base::steady_now());
    alarm_->timer.async_wait([alarm = alarm_, generation](const boost::system::error_code& error) {
        if (!error && alarm->owner && alarm->generation == generation) alarm->owner->on_timer();
    });
}

void Deadline::on_timer()
{
    const bool is_due = armed_for_ == at_;
    armed_for_ = SteadyTime::max();
    if (waiting_ == 0 || at_ == SteadyTime::max()) return;   // the next wait arms it again
    if (is_due) on_expiry_();
    else arm();
}

}  // namespace ekiden::net
