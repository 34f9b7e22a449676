// What an operator may do to a queued message: hold, release, requeue, expire, remove.
#include "queue/commit_log_store.hpp"
#include "queue/units.hpp"

namespace ekiden::queue {

// The facts after a change; nothing when they are so already.
static bool alter(StateRecord& facts, Change change)
{
    switch (change) {
    case Change::hold:
        if (facts.state == State::held) return false;
        facts.state = State::held;
        return true;
    case Change::release:
        if (facts.state != State::held) return false;
        facts.state = State::deferred;    // to be looked at in the next round, as `postsuper -H` does
        facts.next_attempt_at = base::wall_now();
        return true;
    case Change::requeue:
        facts.state = State::incoming;
        facts.next_attempt_at = {};
        facts.is_expired = false;
        return true;
    case Change::expire:
        if (facts.is_expired) return false;
        facts.is_expired = true;
        return true;
    case Change::remove: return false;
    }
    return false;
}

static Kind kind_of(Change change)
{
    switch (change) {
    case Change::hold: return Kind::hold;
    case Change::release: return Kind::release;
    case Change::requeue: return Kind::requeue;
    case Change::expire: return Kind::expire;
    case Change::remove: return Kind::remove;
    }
    return Kind::note;
}

Result<UnitPtr> CommitLogStore::make_change(QueueId id, Change change)
{
    if (change == Change::remove) {
        auto unit = make_remove(id);
        if (!unit) return unit;
        (*unit)->is_urgent = true;
        static_cast<RemoveUnit&>(**unit).tells_listener = true;
        return unit;
    }
    Entry* entry = log_.find(id);
    if (!entry) return fail(ErrorCode::not_found, "queue: no such message");
    StateRecord facts = entry->facts();
    if (!alter(facts, change)) return UnitPtr{};
    entry->apply(facts);
    auto unit = std::make_unique<StateUnit>(id, *entry, kind_of(change), facts);
    unit->change = change;
    return unit;
}

Task<Result<void>> CommitLogStore::change(QueueId id, Change change)
{
    if (log_.options.is_read_only) co_return fail(ErrorCode::refused, "queue: opened for reading only");
    std::move_only_function<Result<UnitPtr>()> make = [this, id, change] { return make_change(id, change); };
    co_return co_await committer_.submit(std::move(make));
}

}  // namespace ekiden::queue
