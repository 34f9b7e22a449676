// A queue that keeps nothing: what would have been queued is remembered, and that is all. Everything that intake hands in
// is answered as the real store would, so that a rehearsal goes on to its end. One thread.
#pragma once

#include "queue/store.hpp"

#include <vector>

namespace ekiden::explain {

class CaptureStore final : public queue::Store {
public:
    // `minimum_free` and the folder decide has_space_for(), as queue_minfree does.
    CaptureStore(std::string directory, std::uint64_t minimum_free);

    // What was committed since the last call, in order.
    std::vector<queue::EnvelopePtr> take() { return std::exchange(committed_, {}); }

    queue::ContentWriter write_content() override { return queue::ContentWriter(); }
    Task<Result<queue::EnvelopePtr>> commit(mail::Envelope envelope, queue::ContentWriter content) override;
    bool has_space_for(std::uint64_t size) const override
    {
        return free_space() >= minimum_free_ && free_space() - minimum_free_ >= size;
    }
    std::uint64_t free_space() const override;
    void settle(queue::Settlement) override {}
    void remove(queue::QueueId) override {}
    Task<Result<void>> settle_durably(queue::Settlement) override { co_return Result<void>{}; }
    Task<Result<queue::Loaded>> load(queue::QueueId) override { co_return nothing(); }
    Result<queue::Loaded> load_now(queue::QueueId) override { return nothing(); }
    Task<Result<void>> change(queue::QueueId, queue::Change) override
    {
        co_return fail(ErrorCode::not_found, "no such message");
    }
    void for_each(const std::function<bool(const queue::Summary&)>&) const override {}
    Result<void> list(const std::function<bool(const queue::Summary&, const queue::Loaded&)>&) const override
    {
        return {};
    }
    std::size_t size() const override { return 0; }
    queue::Statistics statistics() const override { return {}; }
    void listen(queue::Listener*) override {}
    void stop() override {}

private:
    static Result<queue::Loaded> nothing() { return fail(ErrorCode::not_found, "no such message"); }
    const std::string directory_;
    const std::uint64_t minimum_free_;
    std::vector<queue::EnvelopePtr> committed_;
};

}  // namespace ekiden::explain
