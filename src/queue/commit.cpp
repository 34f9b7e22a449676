#include "queue/commit.hpp"

#include "queue/quiet_thread.hpp"

#include <algorithm>
#include <future>

namespace ekiden::queue {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint64_t most_batch_bytes = 8 << 20;
constexpr std::size_t most_batch_units = 4096;
constexpr milliseconds lazy_time{100};     // store.hpp promises it
constexpr milliseconds probe_time{1000};
constexpr milliseconds most_gather_time{1};
constexpr std::array<char, block_size> zeros{};

// Written when nothing else is there to try the disk with.
class NoteUnit final : public Unit {
public:
    NoteUnit() : Unit(QueueId{}) { pieces.push_back({.kind = Kind::note, .payload = {}}); }
    void after_write(Log&, Effects&) override {}
};

std::uint64_t total_bytes(const std::vector<UnitPtr>& units)
{
    std::uint64_t total = 0;
    for (const UnitPtr& unit : units) total += unit->bytes();
    return align_up(total, block_size);
}

}  // namespace

std::uint64_t Unit::bytes() const
{
    std::uint64_t total = 0;
    for (const Piece& piece : pieces) total += record_size(piece.payload.size());
    return total;
}

void Committer::start()
{
    is_stopped_ = false;
    thread_ = quiet_thread("queue-commit", [this] { run(); });
}

void Committer::stop()
{
    {
        std::lock_guard lock(log_.mutex);
        is_stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Committer::set_listener(Listener* listener)
{
    std::unique_lock lock(log_.mutex);
    listener_ = listener;
    std::optional<Error> why = trouble_ ? trouble_ : no_room_;
    lock.unlock();
    if (listener && why) listener->on_trouble(why->text());
}

Result<void> Committer::may_accept() const
{
    std::lock_guard lock(log_.mutex);
    if (trouble_) return fail(*trouble_);
    if (no_room_) return fail(*no_room_);
    return {};
}

void Committer::set_no_room(std::optional<Error> why)
{
    std::unique_lock lock(log_.mutex);
    bool was_closed = no_room_ || trouble_;
    no_room_ = std::move(why);
    bool is_closed = no_room_ || trouble_;
    if (was_closed == is_closed || !listener_) return;
    Listener* listener = listener_;
    std::string text = no_room_ ? no_room_->text() : std::string{};
    lock.unlock();
    if (is_closed) listener->on_trouble(text);
    else listener->on_recovered();
}

void Committer::hand_in(UnitPtr unit)
{
    if (unit->is_urgent) ++urgent_;
    bool must_wake = unit->is_urgent ? urgent_ == 1 || urgent_ == gather_ : !lazy_until_;
    if (!unit->is_urgent && !lazy_until_) lazy_until_ = steady_clock::now() + lazy_time;
    queue_.push_back(std::move(unit));
    if (must_wake) wake_.notify_one();
}

Task<Result<void>> Committer::submit(std::move_only_function<Result<UnitPtr>()> make)
{
    auto executor = co_await net::this_executor();
    auto start = [this, executor, &make](auto handler) {
        auto at_once = [&handler, executor](Result<void> result) {
            asio::post(executor,
                       [h = std::move(handler), r = std::move(result)]() mutable { std::move(h)(std::move(r)); });
        };
        std::unique_lock lock(log_.mutex);
        auto made = make();
        if (!made) return at_once(fail(std::move(made).error()));
        UnitPtr unit = std::move(*made);
        if (!unit) return at_once({});
        if (is_stopped_ || is_stopping_) return at_once(fail(ErrorCode::unavailable, "queue: closing down"));
        if (!unit->outlives_trouble && trouble_) return at_once(fail(*trouble_));
        if (!unit->outlives_trouble && no_room_) return at_once(fail(*no_room_));
        unit->executor = executor;
        unit->waiter = [h = std::move(handler)](Result<void> result) mutable { std::move(h)(std::move(result)); };
        hand_in(std::move(unit));
    };
    net::UseTask token;
    co_return co_await asio::async_initiate<net::UseTask, void(Result<void>)>(start, token);
}

Result<void> Committer::submit_now(std::vector<UnitPtr> units)
{
    if (units.empty()) return {};
    std::vector<std::future<Result<void>>> results;
    {
        std::lock_guard lock(log_.mutex);
        if (is_stopped_ || is_stopping_) return fail(ErrorCode::unavailable, "queue: closing down");
        if (trouble_) return fail(*trouble_);
        for (UnitPtr& unit : units) {
            std::promise<Result<void>> promise;
            results.push_back(promise.get_future());
            unit->waiter = [p = std::move(promise)](Result<void> result) mutable { p.set_value(std::move(result)); };
            hand_in(std::move(unit));
        }
    }
    Result<void> all;
    for (auto& result : results)
        if (auto one = result.get(); !one && all) all = std::move(one);
    return all;
}

void Committer::request_snapshot(std::function<void(Place)> take, std::function<void()> keep)
{
    std::lock_guard lock(log_.mutex);
    snapshot_take_ = std::move(take);
    snapshot_keep_ = std::move(keep);
    wake_.notify_one();
}

void Committer::wait_for_work(std::unique_lock<std::mutex>& lock)
{
    if (trouble_) {
        wake_.wait_for(lock, probe_time, [this] { return is_stopping_; });
        return;
    }
    auto is_due = [this] { return urgent_ > 0 || is_stopping_ || snapshot_take_; };
    while (!is_due()) {
        if (!lazy_until_) {
            wake_.wait(lock);
        } else if (steady_clock::now() >= *lazy_until_) {
            return;
        } else {
            wake_.wait_until(lock, *lazy_until_);
        }
    }
}

// Other messages are on their way in: going off with the first of them would leave the others waiting for a whole sync,
// and cost a sync each. So wait for those whose content is being received, but no longer than the last write took:
// a lone client never waits, and nobody waits for a slow one.
void Committer::gather(std::unique_lock<std::mutex>& lock)
{
    if (trouble_ || is_stopping_ || urgent_ == 0) return;
    std::size_t expected = std::min(open_contents->load(std::memory_order_relaxed), most_batch_units);
    if (urgent_ >= expected) return;
    gather_ = expected;
    auto until = steady_clock::now() + std::min<steady_clock::duration>(write_time_, most_gather_time);
    wake_.wait_until(lock, until, [this] { return urgent_ >= gather_ || is_stopping_; });
    gather_ = 0;
}

std::vector<UnitPtr> Committer::take_units()
{
    std::uint64_t room = std::min(most_batch_bytes, log_.options.segment_size);
    // Fill the segment up, unless not even the next unit fits: that one goes to a fresh segment with all behind it.
    if (current_ && !queue_.empty() && queue_.front()->bytes() <= current_->size - current_->end)
        room = std::min(room, current_->size - current_->end);
    std::vector<UnitPtr> units;
    std::uint64_t bytes = 0;
    while (!queue_.empty() && units.size() < most_batch_units) {
        bytes += queue_.front()->bytes();
        if (!units.empty() && align_up(bytes, block_size) > room) break;
        if (queue_.front()->is_urgent) --urgent_;
        units.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    if (queue_.empty()) lazy_until_.reset();
    return units;
}

void Committer::run()
{
    std::unique_lock lock(log_.mutex);
    // The first segment is taken before the first message comes.
    if (auto ready = roll(block_size, lock); !ready) enter_trouble(ready.error(), lock);
    for (;;) {
        wait_for_work(lock);
        gather(lock);
        Batch batch;
        batch.units = take_units();
        if (batch.units.empty() && trouble_) batch.units.push_back(std::make_unique<NoteUnit>());
        std::function<void()> keep;
        if (queue_.empty() && snapshot_take_) {
            Place next = current_ ? Place{current_->number, static_cast<std::uint32_t>(current_->end), 0}
                                  : Place{log_.files.last_number() + 1, 0, 0};
            std::exchange(snapshot_take_, nullptr)(next);
            keep = std::exchange(snapshot_keep_, nullptr);
        }
        Result<void> result;
        bool was_last_try = is_stopping_;
        if (!batch.units.empty()) {
            auto start = steady_clock::now();
            result = write(batch, lock);
            write_time_ = steady_clock::now() - start;
            conclude(std::move(batch), result, lock);
        }
        if (keep && result) {
            lock.unlock();
            keep();
            lock.lock();
        }
        if (is_stopping_ && (queue_.empty() || (was_last_try && trouble_))) break;
    }
    is_stopped_ = true;
    std::vector<UnitPtr> left;
    for (UnitPtr& unit : queue_) left.push_back(std::move(unit));
    queue_.clear();
    current_.reset();
    lock.unlock();
    if (!left.empty()) log_.logger.warning("queue log: {} changes could not be written before closing", left.size());
    tell(std::move(left), fail(ErrorCode::unavailable, "queue: closing down"));
}

Result<void> Committer::write(Batch& batch, std::unique_lock<std::mutex>& lock)
{
    bool is_probe = trouble_.has_value();
    auto result = write_once(batch, lock);
    if (result || is_probe) return result;
    log_.logger.error("queue log: {}; trying once more in a fresh segment", result.error().text());
    return write_once(batch, lock);
}

Result<void> Committer::write_once(Batch& batch, std::unique_lock<std::mutex>& lock)
{
    std::uint64_t bytes = total_bytes(batch.units);
    if (!current_ || bytes > current_->size - current_->end) EKIDEN_TRY(roll(bytes, lock));

    std::vector<UnitPtr> refused;
    std::vector<Result<void>> reasons;
    for (UnitPtr& unit : batch.units) {
        auto wanted = unit->before_write(log_);
        if (wanted) continue;
        reasons.push_back(std::move(wanted));
        refused.push_back(std::move(unit));
    }
    std::erase(batch.units, nullptr);

    std::uint64_t at = current_->end;
    bool needs_sync = false;
    std::vector<std::string_view> bytes_out;
    for (UnitPtr& unit : batch.units) {
        needs_sync |= unit->needs_sync;
        for (Unit::Piece& piece : unit->pieces) {
            std::uint64_t size = record_size(piece.payload.size());
            piece.place = {current_->number, static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(size)};
            bool is_last = &unit == &batch.units.back() && &piece == &unit->pieces.back();
            piece.header = encode_header({.kind = piece.kind, .ends_batch = is_last,
                                          .length = static_cast<std::uint32_t>(piece.payload.size()),
                                          .unsynced_from = static_cast<std::uint32_t>(current_->unsynced_from),
                                          .epoch = current_->epoch, .id = unit->id, .payload_check = piece.check});
            bytes_out.emplace_back(piece.header.data(), piece.header.size());
            bytes_out.push_back(piece.payload);
            bytes_out.emplace_back(zeros.data(), size - header_size - piece.payload.size());
            at += size;
        }
    }
    std::uint64_t start = current_->end, end = align_up(at, block_size);
    bytes_out.emplace_back(zeros.data(), end - at);

    lock.unlock();
    for (std::size_t i = 0; i < refused.size(); ++i) {
        std::vector<UnitPtr> one;
        one.push_back(std::move(refused[i]));
        tell(std::move(one), reasons[i]);
    }
    Result<void> written;
    if (!batch.units.empty()) written = current_->file->write_at(bytes_out, start);
    if (written && needs_sync) written = current_->file->sync();
    lock.lock();

    if (!written) {
        batch.tried.push_back(current_->number);
        seal_failed(lock);
        return written;
    }
    if (batch.units.empty()) return {};
    current_->end = end;
    if (needs_sync) current_->unsynced_from = end;
    log_.counts.syncs += needs_sync;
    log_.counts.batches += 1;
    log_.counts.bytes_written += end - start;
    return {};
}

void Committer::seal_failed(std::unique_lock<std::mutex>&)
{
    current_->failed_from = current_->unsynced_from;
    if (current_->live == 0) log_.has_empty_segment = true;
    log_.current = 0;
    current_.reset();
}

Result<void> Committer::roll(std::uint64_t least, std::unique_lock<std::mutex>& lock)
{
    if (current_) {
        if (current_->unsynced_from != current_->end) {
            // Chunks of messages still coming in. Their accept records will lie in another file, and its sync does not
            // cover them.
            lock.unlock();
            auto synced = current_->file->sync();
            lock.lock();
            log_.counts.syncs += 1;
            if (!synced) {
                log_.logger.error("queue log: {}", synced.error().text());
                current_->failed_from = current_->unsynced_from;
            }
        }
        if (current_->live == 0) log_.has_empty_segment = true;
        log_.current = 0;
        current_.reset();
    }
    lock.unlock();
    auto next = log_.files.take_next(least);
    lock.lock();
    if (!next) return fail(std::move(next).error().with("queue log: new segment"));
    current_ = std::move(*next);
    log_.segments.emplace(current_->number, current_);
    log_.current = current_->number;
    return {};
}

void Committer::conclude(Batch batch, Result<void> result, std::unique_lock<std::mutex>& lock)
{
    if (result) {
        Effects effects;
        for (UnitPtr& unit : batch.units) {
            // What a failed segment holds of it would come back at a start, were only the new one recycled.
            unit->after_write(log_, effects);
            if (!batch.tried.empty())
                if (Entry* entry = log_.find(unit->id); entry && entry->accept == unit->pieces.back().place)
                    entry->rare().old_accepts.insert(entry->rare().old_accepts.end(), batch.tried.begin(),
                                                     batch.tried.end());
        }
        bool has_recovered = trouble_.has_value();
        trouble_.reset();
        bool is_open = !no_room_;
        lock.unlock();
        if (has_recovered) log_.logger.info("queue log: the disk takes writes again");
        if (Listener* listener = listener_) {
            if (!effects.accepted.empty()) listener->on_new(std::move(effects.accepted));
            for (auto [id, change] : effects.changed) listener->on_change(id, change);
            if (has_recovered && is_open) listener->on_recovered();
        }
        tell(std::move(batch.units), {});
        lock.lock();
        return;
    }

    std::vector<UnitPtr> given_up;
    for (auto unit = batch.units.rbegin(); unit != batch.units.rend(); ++unit) {
        UnitPtr again;
        if (!(*unit)->outlives_trouble) {
            again = (*unit)->after_failure(log_, batch.tried);
            given_up.push_back(std::move(*unit));
        } else {
            auto told = std::make_unique<NoteUnit>();    // carries the waiter to tell()
            told->waiter = std::exchange((*unit)->waiter, nullptr);
            told->executor = (*unit)->executor;
            if (told->waiter) given_up.push_back(std::move(told));
            again = std::move(*unit);
        }
        if (!again) continue;
        again->is_urgent = false;
        queue_.push_front(std::move(again));
    }
    // What came in meanwhile and needs the disk gets the answer now, not when the disk is back.
    for (UnitPtr& unit : queue_) {
        if (unit->outlives_trouble) continue;
        given_up.push_back(std::move(unit));
    }
    std::erase(queue_, nullptr);
    urgent_ =
        static_cast<std::size_t>(std::ranges::count_if(queue_, [](const UnitPtr& unit) { return unit->is_urgent; }));
    if (!queue_.empty()) lazy_until_ = steady_clock::now();
    enter_trouble(result.error(), lock);
    lock.unlock();
    tell(std::move(given_up), result);
    lock.lock();
}

void Committer::enter_trouble(const Error& why, std::unique_lock<std::mutex>& lock)
{
    bool is_news = !trouble_;
    ErrorCode code = why.is(ErrorCode::no_space) ? ErrorCode::no_space : ErrorCode::unavailable;
    trouble_ = Error(code, why.text());
    if (!is_news) return;
    Listener* listener = no_room_ ? nullptr : listener_.load();    // with no room it has been told already
    lock.unlock();
    log_.logger.error("queue log: no mail is accepted until the disk recovers: {}", why.text());
    if (listener) listener->on_trouble(why.text());
    lock.lock();
}

// One wake-up per core, however many sessions of it wait.
void Committer::tell(std::vector<UnitPtr> units, const Result<void>& result)
{
    std::vector<std::pair<net::Executor, std::vector<std::move_only_function<void(Result<void>)>>>> groups;
    for (UnitPtr& unit : units) {
        if (!unit->waiter) continue;
        if (!unit->executor) {
            unit->waiter(result);
            continue;
        }
        auto group = std::ranges::find_if(groups, [&unit](const auto& g) { return g.first == *unit->executor; });
        if (group == groups.end()) {
            groups.emplace_back(std::piecewise_construct, std::forward_as_tuple(*unit->executor), std::tuple<>{});
            group = groups.end() - 1;
        }
        group->second.push_back(std::move(unit->waiter));
    }
    for (auto& [executor, waiters] : groups)
        asio::post(executor, [waiting = std::move(waiters), result]() mutable {
            for (auto& waiter : waiting) waiter(result);
        });
}

}  // namespace ekiden::queue
