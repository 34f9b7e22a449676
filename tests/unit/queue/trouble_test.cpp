// What the store does when the disk refuses.
#include "crash/workload.hpp"

#include "base/log_sinks.hpp"

#include <condition_variable>

namespace ekiden::crash {
namespace {

using ekiden::test::FaultyDisk;
using Fault = FaultyDisk::Fault;
using Operation = FaultyDisk::Operation;

class Witness final : public Listener {
public:
    void on_new(std::vector<New> messages) override
    {
        std::lock_guard lock(mutex_);
        accepted += messages.size();
    }
    void on_change(QueueId, Change) override {}
    void on_trouble(const std::string&) override { count(troubles); }
    void on_recovered() override { count(recoveries); }
    bool wait_for_recovery()
    {
        std::unique_lock lock(mutex_);
        return told_.wait_for(lock, std::chrono::seconds(20), [this] { return recoveries > 0; });
    }
    std::size_t accepted = 0;
    int troubles = 0, recoveries = 0;

private:
    void count(int& what)
    {
        std::lock_guard lock(mutex_);
        ++what;
        told_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable told_;
};

class Trouble : public testing::Test {
protected:
    void SetUp() override { base::use_sink(base::function_sink([](base::LogLevel, std::string_view, std::string) {})); }
    void TearDown() override
    {
        store_.reset();
        base::use_sink(base::stderr_sink());
    }
    void open()
    {
        store_.reset();
        store_ = std::move(*open_store(small_options(), disk_));
        store_->listen(&witness_);
    }
    Result<EnvelopePtr> send(std::size_t size)
    {
        return put(*store_, envelope_of("s@example.com", {"a@example.org", "b@example.org"}), text_of(size, 3));
    }

    FaultyDisk disk_;
    Witness witness_;
    std::unique_ptr<Store> store_;
};

TEST_F(Trouble, one_failed_write_or_sync_costs_nobody_his_message)
{
    struct Row {
        FaultyDisk::Kind kind;
        std::size_t tear;
    };
    for (Row row :
         {Row{FaultyDisk::Kind::sync, 0}, Row{FaultyDisk::Kind::write, 0}, Row{FaultyDisk::Kind::write, 600}}) {
        for (int failing = 0; failing < 6; ++failing) {
            open();
            ASSERT_TRUE(send(100));    // the first segment is there
            int left = failing;
            int ours = -1;             // the housekeeper's files may fail elsewhere: only the segment in use counts
            disk_.on_operation([&](const Operation& one) -> std::optional<Fault> {
                if (one.kind != FaultyDisk::Kind::sync && one.kind != FaultyDisk::Kind::write) return std::nullopt;
                if (one.kind == FaultyDisk::Kind::write && one.bytes.size() < 40000) ours = one.file;
                if (one.kind != row.kind || one.file != ours || left-- != 0) return std::nullopt;
                return Fault{Error(ErrorCode::system, "input/output error"), row.tear};
            });
            std::vector<QueueId> sent;
            for (int i = 0; i < 8; ++i) {
                auto message = send(2000);
                ASSERT_TRUE(message) << message.error().text();
                sent.push_back((*message)->id);
            }
            EXPECT_LT(left, 0) << "the fault was never met";
            disk_.on_operation(nullptr);
            open();
            for (QueueId id : sent) {
                auto loaded = store_->load_now(id);
                ASSERT_TRUE(loaded) << loaded.error().text();
                EXPECT_EQ(*read_all(loaded->content), text_of(2000, 3));
            }
        }
    }
    EXPECT_EQ(witness_.troubles, 0);
}

TEST_F(Trouble, a_disk_that_stays_broken_means_no_mail_until_it_recovers)
{
    open();
    auto first = *send(500);
    disk_.on_operation([](const Operation& one) -> std::optional<Fault> {
        if (one.kind != FaultyDisk::Kind::sync) return std::nullopt;
        return Fault{Error(ErrorCode::system, "input/output error")};
    });
    auto envelope = envelope_of("refused@example.com", {"a@example.org", "b@example.org"});
    auto refused = put(*store_, envelope, "may have reached the disk\n");
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(ErrorCode::system) || refused.error().is(ErrorCode::unavailable));
    EXPECT_TRUE(send(100).error().is(ErrorCode::unavailable));
    EXPECT_EQ(witness_.troubles, 1);
    // Settled while the disk is away: seen at once, written when it is back.
    store_->settle(
        {.id = first->id, .done = {0}, .deferred = {{1, {"4.4.1", "no answer"}}}, .next_attempt_at = base::wall_now()});
    EXPECT_EQ(store_->load_now(first->id)->pending.size(), 1u);

    disk_.on_operation(nullptr);
    ASSERT_TRUE(witness_.wait_for_recovery());
    EXPECT_TRUE(send(100));
    // As after a crash right now: the settlement is on the disk, and nothing of the refused message comes back.
    auto image = disk_.cut_at(disk_.steps());
    FaultyDisk after(image);
    StoreOptions reading = small_options();
    reading.is_read_only = true;
    auto left = std::move(*open_store(reading, after));
    EXPECT_EQ(left->size(), 2u);
    EXPECT_EQ(left->load_now(first->id)->pending.at(0).reason.text, "no answer");
    EXPECT_TRUE(left->load_now(envelope.id).error().is(ErrorCode::not_found));
}

TEST_F(Trouble, a_full_disk_is_told_as_such)
{
    open();
    ASSERT_TRUE(send(500));
    disk_.on_operation([](const Operation& one) -> std::optional<Fault> {
        if (one.kind != FaultyDisk::Kind::write) return std::nullopt;
        return Fault{Error(ErrorCode::no_space, "no space left on device"), 100};
    });
    auto refused = send(500);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(ErrorCode::no_space));
    EXPECT_TRUE(send(20'000).error().is(ErrorCode::no_space));
    disk_.on_operation(nullptr);
    ASSERT_TRUE(witness_.wait_for_recovery());
    EXPECT_TRUE(send(500));
}

TEST_F(Trouble, free_space_is_held_against_the_minimum)
{
    StoreOptions options = small_options();
    options.minimum_free = 1000;
    disk_.set_free_space(5000);
    store_ = std::move(*open_store(options, disk_));
    EXPECT_TRUE(store_->has_space_for(4000));
    EXPECT_FALSE(store_->has_space_for(4001));
    EXPECT_EQ(store_->free_space(), 5000u);
}

TEST_F(Trouble, a_damaged_record_costs_only_itself_and_is_set_aside)
{
    open();
    std::vector<QueueId> sent;
    for (int i = 0; i < 3; ++i) sent.push_back((*send(1000))->id);
    auto image = disk_.cut_at(disk_.steps());    // no clean stop: the log is read
    // The second message's accept record, in the segment that holds the first.
    int damaged = 0;
    for (auto& [file, bytes] : image.files) {
        for (std::size_t at = 0; at + header_size < bytes.size(); at += 8) {
            auto header = decode_header(std::string_view(bytes).substr(at));
            if (!header || header->kind != Kind::accept || header->id != sent[1]) continue;
            bytes[at + header_size + 20] ^= 1;
            ++damaged;
        }
    }
    ASSERT_EQ(damaged, 1);
    FaultyDisk after(image);
    auto store = std::move(*open_store(small_options(), after));
    EXPECT_EQ(store->size(), 2u);
    EXPECT_EQ(store->statistics().corrupt_records, 1u);
    EXPECT_EQ(after.names("/queue/corrupt")->size(), 1u);
    EXPECT_TRUE(store->load_now(sent[2]));
}

TEST_F(Trouble, a_record_inside_a_mail_is_not_a_record)
{
    open();
    // Somebody who guesses numbers sends a remove record, and the chunk around it is then damaged on the disk.
    auto victim = *send(300);
    std::string forged;
    for (std::uint64_t epoch = 0; epoch < 20; ++epoch) {
        std::string payload = encode(RemoveRecord{});
        auto header = encode_header({.kind = Kind::remove,
                                     .length = static_cast<std::uint32_t>(payload.size()),
                                     .epoch = epoch,
                                     .id = victim->id});
        forged += std::string(header.data(), header.size()) + payload + "\0\0\0"[0];
        forged.resize((forged.size() + 7) / 8 * 8);
    }
    ASSERT_TRUE(put(*store_, envelope_of("mallory@example.com", {"a@example.org", "b@example.org"}), forged));
    auto image = disk_.cut_at(disk_.steps());
    for (auto& [file, bytes] : image.files)
        if (auto at = bytes.find(forged); at != bytes.npos) bytes[at - header_size] ^= 1;
    FaultyDisk after(image);
    auto store = std::move(*open_store(small_options(), after));
    EXPECT_TRUE(store->load_now(victim->id));
}

}  // namespace
}  // namespace ekiden::crash
