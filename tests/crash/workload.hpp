// A random load on a store, with a diary of what was promised when; and the comparison of what a crash left with it.
// The rules it checks are those of docs/queue.md.
#pragma once

#include "support/faulty_disk.hpp"
#include "unit/queue/queue_fixture.hpp"

#include <limits>

namespace ekiden::crash {

using namespace ekiden::queue;
using queue::test::envelope_of;
using queue::test::put;
using queue::test::read_all;
using queue::test::run;
using queue::test::text_of;

constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

struct Diary {
    struct Message {
        mail::Envelope envelope;
        std::string content;
        std::size_t is_promised = never;    // all: steps of the disk that were done by then
        std::size_t remove_begun = never, is_removed = never;
        std::size_t hold_begun = never, is_held = never;
        std::size_t settle_begun = never, is_settled = never;
    };
    std::map<QueueId, Message> messages;
};

inline StoreOptions small_options(std::uint64_t segment_size = 48 << 10)
{
    StoreOptions options;
    options.directory = "/queue/log";
    options.segment_size = segment_size;
    options.memory_per_message = 4096;
    return options;
}

// One step of the load. Every call returns when the disk has it, except a share of removes, which are lazy.
inline void act(Store& store, const ekiden::test::FaultyDisk& disk, Diary& diary, std::mt19937& dice)
{
    unsigned what = dice() % 10;
    std::vector<QueueId> alive;
    for (const auto& [id, one] : diary.messages)
        if (one.is_promised != never && one.remove_begun == never) alive.push_back(id);
    if (what < 5 || alive.empty()) {
        std::vector<std::string> recipients{"a@example.org", "b@example.org"};
        auto envelope = envelope_of("sender" + std::to_string(dice() % 1000) + "@example.com", recipients);
        std::size_t size = dice() % 10 == 0 ? 4096 + dice() % 20000 : dice() % 3000;
        std::string content = text_of(size, dice());
        Diary::Message& message = diary.messages[envelope.id];
        message.content = content;
        message.envelope = envelope;
        message.envelope.size = size;
        if (put(store, envelope, content, 700)) message.is_promised = disk.steps();
        return;
    }
    Diary::Message& message = diary.messages[alive[dice() % alive.size()]];
    QueueId id = message.envelope.id;
    if (what == 5 && message.hold_begun == never) {
        message.hold_begun = disk.steps();
        if (run(store.change(id, Change::hold))) message.is_held = disk.steps();
    } else if (what == 6 && message.settle_begun == never) {
        message.settle_begun = disk.steps();
        Settlement settlement{
            .id = id, .done = {0}, .deferred = {{1, {"4.4.1", "no answer"}}}, .next_attempt_at = base::wall_now()};
        if (run(store.settle_durably(settlement))) message.is_settled = disk.steps();
    } else if (what == 7) {
        message.remove_begun = disk.steps();
        store.remove(id);
    } else {
        message.remove_begun = disk.steps();
        if (run(store.change(id, Change::remove))) message.is_removed = disk.steps();
    }
}

// What is in the store after a crash at `step` must be what the diary allows; the first broken rule, or nothing.
inline std::string compare(Store& store, const Diary& diary, std::size_t step)
{
    std::map<QueueId, bool> present;
    store.for_each([&](const Summary& summary) { return present[summary.id] = true; });
    for (const auto& [id, found] : present)
        if (!diary.messages.contains(id)) return "a message nobody sent";
    for (const auto& [id, want] : diary.messages) {
        std::string name = mail::format(id);
        bool is_there = present.contains(id);
        if (!is_there && want.is_promised <= step && want.remove_begun > step) return name + ": promised and lost";
        if (is_there && want.is_removed <= step) return name + ": removed and back";
        if (!is_there) continue;
        auto loaded = store.load_now(id);
        if (!loaded) return name + ": " + loaded.error().text();
        const mail::Envelope& got = *loaded->envelope;
        if (got.sender != want.envelope.sender || got.arrived_at != want.envelope.arrived_at ||
            got.size != want.envelope.size || got.recipients.size() != 2 ||
            got.recipients[1].address != "b@example.org" || got.origin.client_name != want.envelope.origin.client_name)
            return name + ": another envelope";
        auto content = read_all(loaded->content);
        if (!content) return name + ": " + content.error().text();
        if (*content != want.content) return name + ": another content";
        if (want.is_held <= step && loaded->state != State::held) return name + ": hold was lost";
        if (want.hold_begun > step && loaded->state == State::held) return name + ": held by nobody";
        if (want.is_settled <= step && (loaded->pending.size() != 1 || loaded->pending[0].reason.text != "no answer"))
            return name + ": settlement was lost";
        if (want.settle_begun > step && loaded->pending.size() != 2) return name + ": settled by nobody";
    }
    return {};
}

// Opens what a crash left, as a tool would: nothing is written.
inline std::string look_at(ekiden::test::FaultyDisk::Image image, const Diary& diary, std::size_t step)
{
    ekiden::test::FaultyDisk disk(std::move(image));
    StoreOptions options = small_options();
    options.is_read_only = true;
    auto store = open_store(options, disk);
    if (!store) return store.error().text();
    if ((*store)->statistics().corrupt_records != 0) return "a crash was taken for a damaged disk";
    return compare(**store, diary, step);
}

}  // namespace ekiden::crash
