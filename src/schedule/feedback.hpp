// How many deliveries one destination may have at a time (pure): Postfix's concurrency feedback. Success widens the
// window, destination trouble narrows it; a window's worth of trouble in a row (a failed pseudo-cohort) means dead.
// Parameters: <transport>_destination_concurrency_{positive,negative}_feedback, _failed_cohort_limit, _limit, and
// initial_destination_concurrency.
#pragma once

namespace ekiden::schedule {

// A feedback setting: a constant, or a constant divided by the window or its square root ("1 / concurrency").
struct FeedbackRule {
    double amount = 1;
    enum class Divisor { none, concurrency, square_root } divisor = Divisor::concurrency;
    double at(int window) const;
};

class Window {
public:
    struct Limits {
        int initial = 5;
        int maximum = 20;            // 0 = none
        int failed_cohort_limit = 1; // 0 = never dead
        FeedbackRule positive, negative;
    };

    explicit Window(const Limits& limits)
        : size_(limits.maximum > 0 ? (limits.initial < limits.maximum ? limits.initial : limits.maximum)
                                   : limits.initial)
    {
    }

    int size() const { return size_; }
    bool is_dead() const { return is_dead_; }
    // Recent trouble that the next one adds to: worth remembering while nothing waits.
    bool has_trouble() const { return failed_cohorts_ > 0; }

    void on_success(const Limits& limits, int in_flight);
    // True when this trouble made the destination dead.
    bool on_trouble(const Limits& limits);
    void revive(const Limits& limits) { *this = Window(limits); }

private:
    int size_;
    double credit_ = 0;          // fraction of the next step, up or down
    double failed_cohorts_ = 0;
    bool is_dead_ = false;
};

}  // namespace ekiden::schedule
