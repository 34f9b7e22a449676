#include "explain/capture_store.hpp"

#include <sys/statvfs.h>

namespace ekiden::explain {

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

}  // namespace ekiden::explain
