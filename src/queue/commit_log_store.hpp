// The commit log behind queue::Store.
#pragma once

#include "queue/commit.hpp"
#include "queue/housekeeper.hpp"
#include "queue/log.hpp"
#include "queue/reading.hpp"
#include "queue/space.hpp"
#include "queue/store.hpp"

#include <memory>

namespace ekiden::queue {

class CommitLogStore final : public Store {
public:
    CommitLogStore(const StoreOptions& options, Disk& disk);
    ~CommitLogStore() override;
    Result<void> open();

    ContentWriter write_content() override;
    Task<Result<EnvelopePtr>> commit(mail::Envelope envelope, ContentWriter content) override;
    bool has_space_for(std::uint64_t size) const override;
    std::uint64_t free_space() const override;
    void settle(Settlement settlement) override;
    void remove(QueueId id) override;
    Task<Result<void>> settle_durably(Settlement settlement) override;
    Task<Result<Loaded>> load(QueueId id) override;
    Result<Loaded> load_now(QueueId id) override;
    Task<Result<void>> change(QueueId id, Change change) override;
    void for_each(const std::function<bool(const Summary&)>& visitor) const override;
    Result<void> list(const std::function<bool(const Summary&, const Loaded&)>& visitor) const override;
    std::size_t size() const override;
    Statistics statistics() const override;
    void listen(Listener* listener) override;
    void stop() override;

private:
    Result<UnitPtr> make_settle(const Settlement& settlement);      // all four: the log's lock is held
    Result<UnitPtr> make_change(QueueId id, Change change);
    Result<UnitPtr> make_remove(QueueId id);
    Result<Reference> refer_to(QueueId id) const;
    std::uint64_t chunk_limit() const;

    std::unique_ptr<DiskFile> lock_;
    Log log_;
    Space space_;
    Committer committer_;
    Housekeeper housekeeper_;
    bool is_stopped_ = false;
};

// open_store() on another disk than the real one.
Result<std::unique_ptr<Store>> open_store(const StoreOptions& options, Disk& disk);

}  // namespace ekiden::queue
