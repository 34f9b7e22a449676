#include "explain/capture_store.hpp"

#include <sys/statvfs.h>

namespace ekiden::explain {

namespace {

class TextReader final : public queue::ContentReader {
public:
    explicit TextReader(std::shared_ptr<const std::string> bytes) : bytes_(std::move(bytes)) {}
    Task<Result<std::string_view>> next() override { co_return next_now(); }
    Result<std::string_view> next_now() override
    {
        return std::exchange(is_read_, true) ? std::string_view() : std::string_view(*bytes_);
    }

private:
    std::shared_ptr<const std::string> bytes_;
    bool is_read_ = false;
};

class TextContent final : public queue::Content {
public:
    explicit TextContent(std::string bytes) : bytes_(std::make_shared<const std::string>(std::move(bytes))) {}
    std::uint64_t size() const override { return bytes_->size(); }
    std::optional<std::string_view> in_memory() const override { return *bytes_; }
    std::unique_ptr<queue::ContentReader> open() const override { return std::make_unique<TextReader>(bytes_); }

private:
    std::shared_ptr<const std::string> bytes_;
};

}  // namespace

CaptureStore::CaptureStore(std::string directory, std::uint64_t minimum_free)
    : directory_(std::move(directory)), minimum_free_(minimum_free)
{
}

Task<Result<queue::EnvelopePtr>> CaptureStore::commit(mail::Envelope envelope, queue::ContentWriter content)
{
    envelope.size = content.size();
    auto kept = std::make_shared<const mail::Envelope>(std::move(envelope));
    committed_.push_back(kept);
    co_return kept;
}

std::uint64_t CaptureStore::free_space() const
{
    struct statvfs space{};
    if (::statvfs(directory_.c_str(), &space) != 0) return UINT64_MAX;    // not made yet: the start makes it
    return static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
}

queue::ContentPtr make_content(std::string bytes) { return std::make_shared<TextContent>(std::move(bytes)); }

}  // namespace ekiden::explain
