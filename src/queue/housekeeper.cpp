#include "queue/housekeeper.hpp"

#include "queue/checkpoint.hpp"
#include "queue/quiet_thread.hpp"

#include <chrono>

namespace ekiden::queue {
namespace {

constexpr std::chrono::milliseconds tick{100};
constexpr int ticks_between_rounds = 10;                  // what is not needed at once: every second
constexpr std::uint64_t checkpoint_every = 256 << 20;     // bytes written: what a start may have to read

}  // namespace

void Housekeeper::start()
{
    thread_ = quiet_thread("queue-house", [this] { run(); });
}

void Housekeeper::stop()
{
    {
        std::lock_guard lock(mutex_);
        is_stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Housekeeper::run()
{
    for (int round = 0;; ++round) {
        keep_spare();
        recycle();
        if (round % ticks_between_rounds == 0) {
            fold();
            compact();
            checkpoint();
        }
        std::unique_lock lock(mutex_);
        if (wake_.wait_for(lock, tick, [this] { return is_stopping_; })) return;
    }
}

void Housekeeper::keep_spare()
{
    if (log_.files.spares() > 0) {
        if (std::exchange(is_without_room_, false)) committer_.set_no_room(std::nullopt);
        return;
    }
    auto now = std::chrono::steady_clock::now();
    if (is_without_room_ && now < next_try_) return;
    next_try_ = now + std::chrono::seconds(1);
    auto made = log_.files.make_spare();
    if (made) {
        if (std::exchange(is_without_room_, false)) committer_.set_no_room(std::nullopt);
        return;
    }
    // What is left of the current segment is kept for settling and removing, which is what makes room again.
    if (!std::exchange(is_without_room_, true)) {
        log_.logger.error("queue log: no room for a spare segment, no mail is accepted: {}", made.error().text());
        committer_.set_no_room(Error(
            made.error().is(ErrorCode::no_space) ? ErrorCode::no_space : ErrorCode::unavailable, made.error().text()));
    }
}

void Housekeeper::recycle()
{
    std::vector<SegmentPtr> empty;
    {
        std::lock_guard lock(log_.mutex);
        if (!log_.has_empty_segment) return;
        bool is_one_waiting = false;
        for (const auto& [number, segment] : log_.segments) {
            if (number == log_.current || segment->live > 0) continue;
            std::erase_if(segment->tombstones, [this](const Tombstone& one) { return !log_.is_on_disk(one.target); });
            // In use: by a reader, or by a message whose content is still coming in. Nobody new can take hold of it.
            if (segment.use_count() == 1 && segment->tombstones.empty()) empty.push_back(segment);
            else is_one_waiting = true;
        }
        for (const SegmentPtr& segment : empty) {
            log_.segments.erase(segment->number);
            log_.retiring.insert(segment->number);
        }
        log_.has_empty_segment = is_one_waiting || !empty.empty();    // what is gone may set others free
    }
    for (const SegmentPtr& segment : empty) {
        auto retired = log_.files.retire(*segment);
        std::lock_guard lock(log_.mutex);
        log_.retiring.erase(segment->number);
        if (retired) continue;
        log_.segments.emplace(segment->number, segment);    // again later; its remove records stay with it
        log_.logger.warning("queue log: {}", retired.error().text());
    }
}

void Housekeeper::checkpoint()
{
    std::optional<std::string> picture;
    {
        std::lock_guard lock(mutex_);
        picture = std::exchange(picture_, std::nullopt);
    }
    if (picture) {
        if (auto written = write_checkpoint(log_.disk, log_.files, *picture, checkpoint_name); !written)
            log_.logger.warning("queue log: {}", written.error().text());
    }
    std::uint64_t bytes;
    {
        std::lock_guard lock(log_.mutex);
        bytes = log_.counts.bytes_written;
    }
    if (bytes - written_at_checkpoint_ < checkpoint_every) return;
    written_at_checkpoint_ = bytes;
    auto taken = std::make_shared<std::string>();
    committer_.request_snapshot([this, taken](Place next) { *taken = encode_checkpoint(log_, next); },
                                [this, taken] {
                                    std::lock_guard lock(mutex_);
                                    picture_ = std::move(*taken);
                                });
}

void Housekeeper::write_last_checkpoint()
{
    std::string bytes;
    {
        std::lock_guard lock(log_.mutex);
        // The index is ahead of a log that could not be written: the log alone tells the truth.
        for (const auto& [id, entry] : log_.index)
            if (entry.extra && !entry.extra->unwritten.empty()) return;
        bytes = encode_checkpoint(log_, {log_.files.last_number() + 1, 0, 0});
    }
    if (auto written = write_checkpoint(log_.disk, log_.files, bytes, clean_checkpoint_name); !written)
        log_.logger.warning("queue log: {}", written.error().text());
}

}  // namespace ekiden::queue
