#include "queue/content.hpp"

#include "queue/content_log.hpp"
#include "queue/crc32c.hpp"
#include "queue/units.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace ekiden::queue {
namespace {

class MemoryReader final : public ContentReader {
public:
    explicit MemoryReader(std::shared_ptr<const std::string> bytes) : bytes_(std::move(bytes)) {}
    Task<Result<std::string_view>> next() override { co_return next_now(); }
    Result<std::string_view> next_now() override
    {
        return std::exchange(is_read_, true) ? std::string_view{} : std::string_view(*bytes_);
    }

private:
    std::shared_ptr<const std::string> bytes_;
    bool is_read_ = false;
};

class MemoryContent final : public Content {
public:
    MemoryContent(std::shared_ptr<MemoryBudget> budget, std::shared_ptr<const std::string> bytes)
        : budget_(std::move(budget)), bytes_(std::move(bytes))
    {
    }
    ~MemoryContent() override { budget_->used -= bytes_->size(); }
    std::uint64_t size() const override { return bytes_->size(); }
    std::optional<std::string_view> in_memory() const override { return *bytes_; }
    std::unique_ptr<ContentReader> open() const override { return std::make_unique<MemoryReader>(bytes_); }

private:
    std::shared_ptr<MemoryBudget> budget_;
    std::shared_ptr<const std::string> bytes_;
};

struct Chunks {
    std::vector<Place> places;
    std::vector<SegmentPtr> segments;    // one for each place; nothing where the segment is gone
    std::shared_ptr<net::BlockingPool> readers;
};

class LogReader final : public ContentReader {
public:
    explicit LogReader(std::shared_ptr<const Chunks> chunks) : chunks_(std::move(chunks)) {}

    Task<Result<std::string_view>> next() override
    {
        if (at_ == chunks_->places.size()) co_return std::string_view{};
        // The pool's thread fills a buffer of its own: should this reader be dropped meanwhile, nothing dangles.
        auto read = co_await chunks_->readers->run([chunks = chunks_, at = at_] {
            return std::make_shared<Result<std::string>>(read_chunk(*chunks, at));
        });
        co_return take(std::move(*read));
    }
    Result<std::string_view> next_now() override
    {
        if (at_ == chunks_->places.size()) return std::string_view{};
        return take(read_chunk(*chunks_, at_));
    }

private:
    static Result<std::string> read_chunk(const Chunks& chunks, std::size_t at)
    {
        if (!chunks.segments[at]) return fail(ErrorCode::corrupt, "queue log: the segment of this content is missing");
        return read_record(*chunks.segments[at], chunks.places[at]);
    }
    Result<std::string_view> take(Result<std::string> read)
    {
        if (!read) return fail(std::move(read).error());
        bytes_ = std::move(*read);
        ++at_;
        return std::string_view(bytes_);
    }

    std::shared_ptr<const Chunks> chunks_;
    std::size_t at_ = 0;
    std::string bytes_;
};

class LogContent final : public Content {
public:
    LogContent(std::uint64_t size, std::shared_ptr<const Chunks> chunks) : size_(size), chunks_(std::move(chunks)) {}
    std::uint64_t size() const override { return size_; }
    std::optional<std::string_view> in_memory() const override { return std::nullopt; }
    std::unique_ptr<ContentReader> open() const override { return std::make_unique<LogReader>(chunks_); }

private:
    std::uint64_t size_;
    std::shared_ptr<const Chunks> chunks_;
};

}  // namespace

Result<std::string_view> record_payload(std::string_view bytes, const Segment& segment, Place place, QueueId id)
{
    auto header = decode_header(bytes);
    if (!header || header->epoch != segment.epoch || record_size(header->length) != place.length ||
        (id && header->id != id) || bytes.size() < header_size + header->length ||
        crc32c(bytes.substr(header_size, header->length)) != header->payload_check)
        return fail(ErrorCode::corrupt,
                    fmt::format("queue log: damaged record in segment {:08x} at {}", place.segment, place.offset));
    return bytes.substr(header_size, header->length);
}

Result<std::string> read_record(const Segment& segment, Place place, QueueId id)
{
    std::string bytes(place.length, '\0');
    EKIDEN_TRY_VALUE(count, segment.file->read_at(bytes, place.offset));
    bytes.resize(count);
    EKIDEN_TRY_VALUE(payload, record_payload(bytes, segment, place, id));
    std::size_t length = payload.size();
    bytes.erase(0, header_size);
    bytes.resize(length);
    return bytes;
}

ContentPtr content_in_memory(const std::shared_ptr<MemoryBudget>& budget, std::shared_ptr<const std::string> bytes)
{
    std::uint64_t size = bytes->size();
    if (budget->used.fetch_add(size) + size > budget->limit && size > 0) {
        budget->used -= size;
        return nullptr;
    }
    return std::make_shared<MemoryContent>(budget, std::move(bytes));
}

ContentPtr content_in_log(const Log& log, QueueId, std::uint64_t size, std::vector<Place> chunks)
{
    auto shared = std::make_shared<Chunks>();
    shared->places = std::move(chunks);
    for (const Place& place : shared->places) shared->segments.push_back(log.segment(place.segment));
    shared->readers = log.readers;
    return std::make_shared<LogContent>(size, std::move(shared));
}

ContentWriter::Sink::Sink(Committer& committer, std::size_t chunk_limit)
    : limit(chunk_limit), committer_(committer), open_contents_(committer.open_contents)
{
    ++*open_contents_;
}

ContentWriter::Sink::~Sink() { --*open_contents_; }

std::shared_ptr<net::BlockingPool> ContentWriter::Sink::readers() const { return committer_.readers(); }

Task<Result<void>> ContentWriter::Sink::write(std::string bytes)
{
    for (std::size_t at = 0; at < bytes.size(); at += limit) {
        std::string piece = at == 0 && bytes.size() <= limit ? std::move(bytes) : bytes.substr(at, limit);
        bool is_whole = bytes.empty();
        auto unit =
            std::make_unique<ChunkUnit>(QueueId{}, std::move(piece), [to = flushed](Place place, SegmentPtr segment) {
                to->places.push_back(place);
                if (to->pins.empty() || to->pins.back() != segment) to->pins.push_back(std::move(segment));
            });
        std::move_only_function<Result<UnitPtr>()> make = [u = std::move(unit)]() mutable -> Result<UnitPtr> {
            return std::move(u);
        };
        EKIDEN_CO_TRY(co_await committer_.submit(std::move(make)));
        if (is_whole) break;
    }
    co_return Result<void>{};
}

ContentWriter::ContentWriter() = default;
ContentWriter::ContentWriter(std::unique_ptr<Sink> sink) : sink_(std::move(sink)) {}
ContentWriter::ContentWriter(ContentWriter&&) noexcept = default;
ContentWriter& ContentWriter::operator=(ContentWriter&&) noexcept = default;
ContentWriter::~ContentWriter() = default;

void ContentWriter::append(std::string_view bytes)
{
    buffer_ += bytes;
    size_ += bytes.size();
}

bool ContentWriter::needs_flush() const { return sink_ && buffer_.size() >= sink_->limit; }

Task<Result<void>> ContentWriter::flush()
{
    if (!sink_ || buffer_.empty()) co_return Result<void>{};
    std::string bytes = std::exchange(buffer_, {});
    co_return co_await sink_->write(std::move(bytes));
}

// First what is in the log, then what is still in the buffer.
class ContentWriter::Reader final : public ContentReader {
public:
    Reader(std::shared_ptr<const Chunks> chunks, std::string_view rest) : log_(std::move(chunks)), rest_(rest) {}
    Task<Result<std::string_view>> next() override
    {
        EKIDEN_CO_TRY_VALUE(bytes, co_await log_.next());
        if (!bytes.empty()) co_return bytes;
        co_return std::exchange(rest_, {});
    }
    Result<std::string_view> next_now() override { return fail(ErrorCode::refused, "queue: not on this thread"); }

private:
    LogReader log_;
    std::string_view rest_;
};

std::unique_ptr<ContentReader> ContentWriter::reader() const
{
    auto chunks = std::make_shared<Chunks>();
    if (sink_) {
        chunks->places = sink_->flushed->places;
        chunks->readers = sink_->readers();
        for (const Place& place : chunks->places) {
            const auto& pins = sink_->flushed->pins;
            const auto pin = std::ranges::find(pins, place.segment, [](const SegmentPtr& one) { return one->number; });
            chunks->segments.push_back(pin == pins.end() ? nullptr : *pin);
        }
    }
    return std::make_unique<Reader>(std::move(chunks), buffer_);
}

}  // namespace ekiden::queue
