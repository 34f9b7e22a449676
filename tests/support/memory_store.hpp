// A queue::Store that keeps everything in memory and fails when it is told to: for tests of rooms that hand messages in.
// No disk, no threads, no schedule.
#pragma once

#include "queue/store.hpp"
#include "queue/text_content.hpp"

#include <algorithm>
#include <deque>
#include <utility>

namespace ekiden::test {
namespace detail {

// A writer without a sink keeps its bytes in a private buffer; only the commit log may take them out of it. Naming a
// private member in an explicit instantiation is allowed by the language, and hurts nobody outside tests.
template <auto member>
struct Reach {
    friend std::string& buffer_of(queue::ContentWriter& writer) { return writer.*member; }
};
std::string& buffer_of(queue::ContentWriter& writer);
template struct Reach<&queue::ContentWriter::buffer_>;

}  // namespace detail

class MemoryStore final : public queue::Store {
public:
    struct Message {
        queue::EnvelopePtr envelope;
        queue::ContentPtr content;
        queue::Loaded state;

        std::string text() const { return std::string(*content->in_memory()); }
    };
    std::deque<Message> messages;        // in commit order
    std::optional<Error> commit_error;   // the next commits fail with it

    queue::ContentWriter write_content() override { return {}; }
    Task<Result<queue::EnvelopePtr>> commit(mail::Envelope envelope, queue::ContentWriter content) override
    {
        if (commit_error) co_return fail(*commit_error);
        envelope.size = content.size();
        Message message;
        message.envelope = std::make_shared<const mail::Envelope>(std::move(envelope));
        message.content = queue::text_content(std::move(detail::buffer_of(content)));
        message.state.envelope = message.envelope;
        message.state.content = message.content;
        message.state.state = message.envelope->is_held ? queue::State::held : queue::State::incoming;
        for (std::uint32_t i = 0; i < message.envelope->recipients.size(); ++i)
            message.state.pending.push_back({i, {}});
        messages.push_back(message);
        if (listener_) listener_->on_new({{message.envelope, message.content}});
        co_return message.envelope;
    }
    bool has_space_for(std::uint64_t) const override { return !commit_error; }
    std::uint64_t free_space() const override { return 1ull << 40; }

    void settle(queue::Settlement settlement) override
    {
        Message* message = find(settlement.id);
        if (!message) return;
        auto& state = message->state;
        std::erase_if(state.pending, [&](const auto& p) {
            return std::ranges::find(settlement.done, p.index) != settlement.done.end();
        });
        for (const auto& deferred : settlement.deferred)
            for (auto& pending : state.pending)
                if (pending.index == deferred.index) pending.reason = deferred.reason;
        state.state = queue::State::deferred;
        state.next_attempt_at = settlement.next_attempt_at;
        state.was_warned = state.was_warned || settlement.was_warned;
        ++state.attempts;
        if (state.pending.empty()) remove(settlement.id);
    }
    void remove(queue::QueueId id) override
    {
        std::erase_if(messages, [&](const Message& m) { return m.envelope->id == id; });
    }
    Task<Result<void>> settle_durably(queue::Settlement settlement) override
    {
        settle(std::move(settlement));
        co_return Result<void>{};
    }
    Task<Result<queue::Loaded>> load(queue::QueueId id) override { co_return load_now(id); }
    Result<queue::Loaded> load_now(queue::QueueId id) override
    {
        if (Message* message = find(id)) return message->state;
        return fail(ErrorCode::not_found, "no such message");
    }
    Task<Result<void>> change(queue::QueueId id, queue::Change change) override
    {
        Message* message = find(id);
        if (!message) co_return fail(ErrorCode::not_found, "no such message");
        switch (change) {
        case queue::Change::hold: message->state.state = queue::State::held; break;
        case queue::Change::release: message->state.state = queue::State::deferred; break;
        case queue::Change::requeue: message->state.state = queue::State::incoming; break;
        case queue::Change::expire: message->state.is_expired = true; break;
        case queue::Change::remove: remove(id); break;
        }
        if (listener_) listener_->on_change(id, change);
        co_return Result<void>{};
    }
    void for_each(const std::function<bool(const queue::Summary&)>& visitor) const override
    {
        for (const auto& m : messages)
            if (!visitor(summary(m))) return;
    }
    Result<void> list(const std::function<bool(const queue::Summary&, const queue::Loaded&)>& visitor) const override
    {
        for (const auto& m : messages)
            if (!visitor(summary(m), m.state)) break;
        return {};
    }
    std::size_t size() const override { return messages.size(); }
    queue::Statistics statistics() const override { return {.commits = messages.size(), .messages = messages.size()}; }
    void listen(queue::Listener* listener) override { listener_ = listener; }
    void stop() override {}

private:
    static queue::Summary summary(const Message& m)
    {
        return {m.envelope->id, m.state.state, m.state.next_attempt_at, m.envelope->size, m.state.is_expired};
    }
    Message* find(queue::QueueId id)
    {
        const auto at = std::ranges::find_if(messages, [&](const Message& m) { return m.envelope->id == id; });
        return at == messages.end() ? nullptr : &*at;
    }

    queue::Listener* listener_ = nullptr;
};

}  // namespace ekiden::test
