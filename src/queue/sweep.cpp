// All messages with envelope and reasons: the records are read in large steps through the segments, not
// one by one, since a queue that people want to see is often a long one.
#include "queue/commit_log_store.hpp"
#include "queue/reading.hpp"

#include <algorithm>

namespace ekiden::queue {
namespace {

constexpr std::size_t messages_at_once = 4096;
constexpr std::uint64_t most_step = 1 << 20;    // bytes of one read
constexpr std::uint64_t most_gap = 16 << 10;    // skipped content that is cheaper to read than to seek over

// The records of some messages, read in the order of the disk.
class Steps {
public:
    void want(const SegmentPtr& segment, Place place) { wanted_.push_back({segment, place}); }

    void read()
    {
        std::ranges::sort(wanted_, {},
                          [](const Wanted& one) { return std::pair(one.place.segment, one.place.offset); });
        for (std::size_t from = 0; from < wanted_.size();) {
            std::uint64_t start = wanted_[from].place.offset, end = start;
            std::size_t to = from;
            for (; to < wanted_.size() && wanted_[to].place.segment == wanted_[from].place.segment; ++to) {
                std::uint64_t record_end = std::uint64_t{wanted_[to].place.offset} + wanted_[to].place.length;
                if (to > from && (wanted_[to].place.offset > end + most_gap || record_end - start > most_step)) break;
                end = std::max(end, record_end);
            }
            bytes_.resize(end - start);
            auto count = wanted_[from].segment->file->read_at(bytes_, start);
            for (; from < to; ++from) {
                Wanted& one = wanted_[from];
                std::uint64_t at = one.place.offset - start;
                if (count && at + one.place.length <= *count) one.bytes = bytes_.substr(at, one.place.length);
            }
        }
    }

    Result<std::string> get(const Segment& segment, Place place, QueueId id) const
    {
        auto at = std::ranges::lower_bound(wanted_, std::pair(place.segment, place.offset), {}, [](const Wanted& one) {
            return std::pair(one.place.segment, one.place.offset);
        });
        if (at == wanted_.end() || at->place != place || at->bytes.empty()) return read_record(segment, place, id);
        EKIDEN_TRY_VALUE(payload, record_payload(at->bytes, segment, place, id));
        return std::string(payload);
    }

private:
    struct Wanted {
        SegmentPtr segment;
        Place place;
        std::string bytes{};
    };
    std::vector<Wanted> wanted_;
    std::string bytes_;
};

}  // namespace

Result<void> CommitLogStore::list(const std::function<bool(const Summary&, const Loaded&)>& visitor) const
{
    std::vector<QueueId> ids;    // of one moment; what is removed before its turn is left out
    {
        std::lock_guard lock(log_.mutex);
        ids.reserve(log_.index.size());
        for (const auto& [id, entry] : log_.index) ids.push_back(id);
    }
    for (std::size_t from = 0; from < ids.size(); from += messages_at_once) {
        std::vector<std::pair<Summary, Reference>> some;
        {
            std::lock_guard lock(log_.mutex);
            for (std::size_t i = from; i < std::min(from + messages_at_once, ids.size()); ++i)
                if (auto at = log_.index.find(ids[i]); at != log_.index.end())
                    some.emplace_back(at->second.summary(ids[i]), make_reference(log_, ids[i], at->second));
        }
        Steps steps;
        for (const auto& [summary, reference] : some) {
            auto want = [&steps, &reference](const Place& place) {
                for (const SegmentPtr& segment : reference.segments)
                    if (segment->number == place.segment) steps.want(segment, place);
            };
            want(reference.version.accept);
            for (const Place& place : reference.version.chain) want(place);
        }
        steps.read();
        RecordSource source = [&steps](const Segment& segment, Place place, QueueId id) {
            return steps.get(segment, place, id);
        };
        for (const auto& [summary, reference] : some) {
            auto loaded = read_message(reference, source);
            if (!loaded) {
                // One damaged message must not hide the others.
                log_.logger.warning("{}: {}", mail::format(summary.id), loaded.error().text());
                continue;
            }
            if (!visitor(summary, *loaded)) return {};
        }
    }
    return {};
}

}  // namespace ekiden::queue
