#include "schedule/feedback.hpp"

#include <cmath>

namespace ekiden::schedule {

double FeedbackRule::at(int window) const
{
    switch (divisor) {
    case Divisor::none: return amount;
    case Divisor::concurrency: return amount / window;
    case Divisor::square_root: return amount / std::sqrt(window);
    }
    return amount;
}

void Window::on_success(const Limits& limits, int in_flight)
{
    failed_cohorts_ = 0;
    is_dead_ = false;
    // A window that is not used up says nothing about a larger one.
    if (in_flight < size_ || (limits.maximum > 0 && size_ >= limits.maximum)) return;
    credit_ += limits.positive.at(size_);
    while (credit_ >= 1 && (limits.maximum == 0 || size_ < limits.maximum)) {
        credit_ -= 1;
        ++size_;
    }
}

bool Window::on_trouble(const Limits& limits)
{
    if (is_dead_) return false;
    failed_cohorts_ += 1.0 / size_;
    // Rounding: N additions of 1/N must reach 1.
    if (limits.failed_cohort_limit > 0 && failed_cohorts_ + 1e-9 >= limits.failed_cohort_limit) {
        is_dead_ = true;
        size_ = 1;
        credit_ = 0;
        return true;
    }
    credit_ -= limits.negative.at(size_);
    while (credit_ <= -1 && size_ > 1) {
        credit_ += 1;
        --size_;
    }
    if (size_ == 1 && credit_ < 0) credit_ = 0;
    return false;
}

}  // namespace ekiden::schedule
