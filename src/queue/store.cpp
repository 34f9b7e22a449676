#include "queue/commit_log_store.hpp"

#include "queue/content_log.hpp"
#include "queue/reading.hpp"
#include "queue/recovery.hpp"
#include "queue/units.hpp"

#include <algorithm>

namespace ekiden::queue {
namespace {

constexpr std::uint64_t least_segment = 4 * block_size, most_segment = 1u << 30;    // offsets have 32 bits

template <class F>
std::move_only_function<Result<UnitPtr>()> making(F f)
{
    return std::move_only_function<Result<UnitPtr>()>(std::move(f));
}

bool is_among(const std::vector<std::uint32_t>& all, std::uint32_t one)
{
    return std::ranges::find(all, one) != all.end();
}

StoreOptions within_bounds(StoreOptions options)
{
    options.segment_size = align_up(std::clamp(options.segment_size, least_segment, most_segment), block_size);
    return options;
}

}  // namespace

CommitLogStore::CommitLogStore(const StoreOptions& options, Disk& disk)
    : log_(within_bounds(options), disk), space_(disk, options.directory, options.minimum_free), committer_(log_),
      housekeeper_(log_, committer_)
{
}

CommitLogStore::~CommitLogStore() { stop(); }

Result<void> CommitLogStore::open()
{
    bool is_read_only = log_.options.is_read_only;
    if (!is_read_only) {
        EKIDEN_TRY(log_.disk.make_folder(log_.options.directory));
        EKIDEN_TRY_VALUE(lock, log_.disk.lock(log_.files.path_of("lock")));
        lock_ = std::move(lock);
    }
    EKIDEN_TRY(recover(log_));
    if (is_read_only) return {};
    committer_.start();
    housekeeper_.start();
    return {};
}

void CommitLogStore::stop()
{
    if (std::exchange(is_stopped_, true) || !lock_) return;
    housekeeper_.stop();
    committer_.stop();
    housekeeper_.write_last_checkpoint();
    lock_.reset();
}

void CommitLogStore::listen(Listener* listener) { committer_.set_listener(listener); }

std::uint64_t CommitLogStore::chunk_limit() const
{
    return std::clamp<std::uint64_t>(log_.options.memory_per_message, block_size, log_.options.segment_size / 4);
}

ContentWriter CommitLogStore::write_content()
{
    return ContentWriter(std::make_unique<ContentWriter::Sink>(committer_, chunk_limit()));
}

Task<Result<EnvelopePtr>> CommitLogStore::commit(mail::Envelope envelope, ContentWriter content)
{
    if (log_.options.is_read_only) co_return fail(ErrorCode::refused, "queue: opened for reading only");
    EKIDEN_CO_TRY(committer_.may_accept());
    if (!envelope.id) envelope.id = mail::make_queue_id();
    envelope.size = content.size_;
    auto shared = std::make_shared<const mail::Envelope>(std::move(envelope));

    std::uint64_t least = 0;    // what the accept record takes, roughly, beside the content
    for (const mail::Recipient& one : shared->recipients)
        least += one.address.size() + one.original.size() + one.dsn_original.size() + 13;
    if (!content.sink_) content.sink_ = std::make_unique<ContentWriter::Sink>(committer_, chunk_limit());
    if (content.buffer_.size() > chunk_limit() || content.buffer_.size() + least > log_.options.segment_size / 2)
        EKIDEN_CO_TRY(co_await content.flush());

    auto last_chunk = std::make_shared<const std::string>(std::exchange(content.buffer_, {}));
    UnitPtr unit = std::make_unique<AcceptUnit>(shared, std::move(last_chunk), *content.sink_->flushed);
    if (unit->bytes() > log_.options.segment_size)
        co_return fail(ErrorCode::too_long, "queue: the envelope does not fit a segment");
    auto make = making([u = std::move(unit)]() mutable -> Result<UnitPtr> { return std::move(u); });
    EKIDEN_CO_TRY(co_await committer_.submit(std::move(make)));
    co_return shared;
}

bool CommitLogStore::has_space_for(std::uint64_t size) const { return space_.has_room_for(size); }
std::uint64_t CommitLogStore::free_space() const { return space_.free(); }

Result<UnitPtr> CommitLogStore::make_settle(const Settlement& settlement)
{
    Entry* entry = log_.find(settlement.id);
    if (!entry) return fail(ErrorCode::not_found, "queue: no such message");
    StateRecord record = entry->facts();
    record.done = settlement.done;
    record.was_warned |= settlement.was_warned;
    entry->apply(record);

    std::vector<std::uint32_t> said;
    for (const Pending& one : settlement.deferred) {
        if (!entry->pending.contains(one.index) || is_among(said, one.index)) continue;
        said.push_back(one.index);
        record.deferred.push_back(one);
    }
    std::uint32_t left = entry->pending.size();
    if (!record.deferred.empty()) {
        record.attempts += 1;
        if (record.state != State::held) record.state = State::deferred;    // hold is the operator's to lift
    }
    if (left > 0 && settlement.next_attempt_at != WallTime{}) record.next_attempt_at = settlement.next_attempt_at;
    record.is_complete = record.deferred.size() == left;
    entry->apply(record);
    return std::make_unique<StateUnit>(settlement.id, *entry, Kind::settle, record);
}

Result<UnitPtr> CommitLogStore::make_remove(QueueId id)
{
    Entry* entry = log_.find(id);
    if (!entry) return fail(ErrorCode::not_found, "queue: no such message");
    std::vector<std::uint32_t> segments{entry->accept.segment};
    if (entry->extra)
        for (std::uint32_t old : entry->extra->old_accepts)
            if (log_.is_on_disk(old) && !is_among(segments, old)) segments.push_back(old);
    log_.drop_live(*entry);
    log_.index.erase(id);
    return std::make_unique<RemoveUnit>(id, std::move(segments));
}

void CommitLogStore::settle(Settlement settlement)
{
    if (log_.options.is_read_only) return;
    std::lock_guard lock(log_.mutex);
    auto unit = make_settle(settlement);
    if (!unit) return;    // removed meanwhile
    (*unit)->is_urgent = false;
    committer_.hand_in(std::move(*unit));
}

void CommitLogStore::remove(QueueId id)
{
    if (log_.options.is_read_only) return;
    std::lock_guard lock(log_.mutex);
    if (auto unit = make_remove(id)) committer_.hand_in(std::move(*unit));
}

Task<Result<void>> CommitLogStore::settle_durably(Settlement settlement)
{
    if (log_.options.is_read_only) co_return fail(ErrorCode::refused, "queue: opened for reading only");
    auto make = making([this, s = std::move(settlement)] { return make_settle(s); });
    co_return co_await committer_.submit(std::move(make));
}

Result<Reference> CommitLogStore::refer_to(QueueId id) const
{
    std::lock_guard lock(log_.mutex);
    auto at = log_.index.find(id);
    if (at == log_.index.end()) return fail(ErrorCode::not_found, "queue: no such message");
    return make_reference(log_, id, at->second);
}

Result<Loaded> CommitLogStore::load_now(QueueId id)
{
    EKIDEN_TRY_VALUE(reference, refer_to(id));
    return load_message(log_, reference);
}

Task<Result<Loaded>> CommitLogStore::load(QueueId id)
{
    // Shared with the pool's thread: a load that is cut off leaves nothing dangling.
    auto loaded = co_await log_.readers->run([this, id] { return std::make_shared<Result<Loaded>>(load_now(id)); });
    co_return std::move(*loaded);
}

void CommitLogStore::for_each(const std::function<bool(const Summary&)>& visitor) const
{
    std::vector<Summary> all;
    {
        std::lock_guard lock(log_.mutex);
        all.reserve(log_.index.size());
        for (const auto& [id, entry] : log_.index) all.push_back(entry.summary(id));
    }
    for (const Summary& summary : all)
        if (!visitor(summary)) return;
}

std::size_t CommitLogStore::size() const
{
    std::lock_guard lock(log_.mutex);
    return log_.index.size();
}

Statistics CommitLogStore::statistics() const
{
    std::lock_guard lock(log_.mutex);
    Statistics result = log_.counts;
    result.messages = log_.index.size();
    result.segments = log_.segments.size();
    return result;
}

Result<std::unique_ptr<Store>> open_store(const StoreOptions& options, Disk& disk)
{
    auto store = std::make_unique<CommitLogStore>(options, disk);
    if (auto opened = store->open(); !opened) return fail(std::move(opened).error().with("open queue"));
    return store;
}

Result<std::unique_ptr<Store>> open_store(const StoreOptions& options) { return open_store(options, posix_disk()); }

}  // namespace ekiden::queue
