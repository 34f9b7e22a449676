// Dialogues over a network that breaks after every single byte in either direction, or goes silent there: each recipient has
// one fate, nobody is delivered without the peer's word, nothing hangs.
#include "deliver/smtp/client.hpp"

#include "support/fake_server.hpp"
#include "support/memory_store.hpp"
#include "support/memory_stream.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <gtest/gtest.h>

#include <deque>

namespace ekiden::deliver::smtp {
namespace {

struct Script {
    const char* name;
    bool is_lmtp;
    test::Persona persona;
    std::string content;
    std::vector<Outcome::Kind> fates;   // over a network that works
};

const std::string small = "Subject: x\n\n.hello\n";
constexpr auto sent = Outcome::Kind::delivered, later = Outcome::Kind::deferred, never = Outcome::Kind::bounced;

std::vector<Script> scripts()
{
    const std::string plain = "250-mx.test\r\n250 ENHANCEDSTATUSCODES";
    const std::string chunks = "250-mx.test\r\n250-PIPELINING\r\n250 CHUNKING";
    return {
        {"pipelined", false, {}, small, {sent, sent, sent}},
        {"command by command", false, {.replies = {{"EHLO", plain}}}, small, {sent, sent, sent}},
        {"without EHLO", false, {.replies = {{"EHLO", "502 what"}}}, small, {sent, sent, sent}},
        {"many lines", false, {.greeting = "220-one\r\n220-two\r\n220 three", .replies = {{".", "250-2.0.0 a\r\n250 2.0.0 b"}}}, small, {sent, sent, sent}},
        {"some refused", false, {.replies = {{"RCPT TO:<b", "550 5.1.1 no"}, {"RCPT TO:<c", "450 4.2.0 later"}}}, small, {sent, never, later}},
        {"nobody left", false, {.replies = {{"EHLO", plain}, {"RCPT", "550 5.1.1 no"}}}, small, {never, never, never}},
        {"refused at the end", false, {.replies = {{".", "554 5.7.1 no"}}}, small, {never, never, never}},
        {"LMTP", true, {.replies = {{".", "250 2.0.0 a\r\n452 4.2.2 full\r\n250 2.0.0 c"}}}, small, {sent, later, sent}},
        {"LMTP, one refused", true, {.replies = {{"RCPT TO:<a", "550 5.1.1 no"}, {".", "250 2.0.0 b\r\n250 2.0.0 c"}}}, small, {never, sent, sent}},
        {"a chunk", false, {.replies = {{"EHLO", chunks}, {"RCPT TO:<b", "550 5.1.1 no"}}}, small, {sent, never, sent}},
        {"a chunk for each recipient", true, {.replies = {{"LHLO", chunks}, {"LAST", "250 2.0.0 a\r\n452 4.2.2 full\r\n250 2.0.0 c"}}}, small, {sent, later, sent}},
        {"LMTP, command by command", true, {.replies = {{"LHLO", plain}, {".", "250 2.0.0 a\r\n250 2.0.0 b\r\n550 5.0.0 c"}}}, small, {sent, sent, never}},
    };
}

enum class Damage { closed_in, reset_in, silent_in, closed_out, reset_out, silent_out };

// One conversation: greeting, hello, one message, farewell.
struct Conversation {
    Conversation(net::Executor executor, const Script& chosen)
        : script(chosen), pipe(net::make_memory_pipe(executor, 4096)), content(queue::text_content(chosen.content))
    {
        for (const char* address : {"a@far.test", "b@far.test", "c@far.test"})
            message.recipients.push_back({address, "", mail::notify_default});
        message.sender = "s@here.test";
        message.size = script.content.size();
        options.handshake.own_name = "here.test";
        options.is_lmtp = options.handshake.is_lmtp = script.is_lmtp;
        options.limits = {seconds(1), seconds(1), seconds(1), seconds(1), seconds(1),
                          seconds(1), seconds(1), seconds(1), seconds(1)};
        options.skips_quit_reply = false;
    }

    void harm(Damage damage, std::size_t after)
    {
        const bool is_in = damage <= Damage::silent_in;
        net::MemoryLink& link = is_in ? *pipe.b_to_a : *pipe.a_to_b;
        if (damage == Damage::silent_in || damage == Damage::silent_out) link.stall_after(after);
        else
            link.break_after(after,
                             Error(damage == Damage::closed_in || damage == Damage::closed_out ? ErrorCode::closed
                                                                                               : ErrorCode::unavailable,
                                   "network"));
    }

    Task<void> speak()
    {
        Session session(std::move(pipe.a), "mx.test", "mx.test[192.0.2.1]", "mx.test[192.0.2.1]:25");
        const auto refusal = co_await session.greet(options, 0);
        if (refusal) {
            fates.assign(message.recipients.size(), *refusal);
        } else {
            Dialogue dialogue(message, session.offer(), script.is_lmtp, session.peer(), false);
            co_await session.converse(dialogue, *content, options);
            EXPECT_TRUE(dialogue.is_done());
            EXPECT_FALSE(dialogue.is_stale());
            for (const auto& fate : dialogue.fates()) {
                EXPECT_TRUE(fate.has_value()) << script.name;
                fates.push_back(fate.value_or(Fate()));
            }
            if (session.may_quit() && dialogue.needs_reset()) (void)co_await session.reset(options);
        }
        co_await session.leave(options);
        is_over = true;
    }

    Task<void> answer()
    {
        net::StreamPtr stream = std::move(pipe.b);
        stream->set_time_limit(seconds(3));
        co_await test::play(*stream, script.persona, heard);
    }

    const Script& script;
    net::MemoryPipe pipe;
    queue::ContentPtr content;
    Message message;
    Options options;
    std::vector<Fate> fates;
    std::string heard;
    bool is_over = false;
};

Task<void> wait_for_both(Conversation& one)
{
    using namespace asio::experimental::awaitable_operators;
    co_await (one.speak() && one.answer());
}

TEST(broken_network, scripts_end_as_written)
{
    for (const Script& script : scripts()) {
        test::Loop loop;
        Conversation one(loop.executor(), script);
        loop.run(wait_for_both(one));
        ASSERT_EQ(one.fates.size(), script.fates.size()) << script.name;
        for (std::size_t i = 0; i < script.fates.size(); ++i)
            EXPECT_EQ(one.fates[i].kind, script.fates[i]) << script.name << ": " << one.fates[i].status.text;
    }
}

// Nobody may be told more than the peer has said: better than over a whole network no fate can be, and what was lost is deferred.
void expect_honest(const Conversation& one, Damage damage, std::size_t after)
{
    const std::string where = std::string(one.script.name) + ", damage " + std::to_string(static_cast<int>(damage)) +
                              " after " + std::to_string(after);
    ASSERT_TRUE(one.is_over) << where;
    ASSERT_EQ(one.fates.size(), one.script.fates.size()) << where;
    for (std::size_t i = 0; i < one.fates.size(); ++i) {
        const Fate& fate = one.fates[i];
        if (fate.kind == one.script.fates[i] && !fate.is_peer_trouble) continue;
        EXPECT_EQ(fate.kind, later) << where << ": " << fate.status.text;
        EXPECT_TRUE(fate.is_peer_trouble) << where;
        EXPECT_EQ(fate.status.code, "4.4.2") << where << ": " << fate.status.text;
        const bool is_silent = damage == Damage::silent_in || damage == Damage::silent_out;
        const char* start = is_silent ? "conversation with mx.test[192.0.2.1] timed out while "
                                      : "lost connection with mx.test[192.0.2.1] while ";
        EXPECT_TRUE(fate.status.text.starts_with(start)) << where << ": " << fate.status.text;
    }
    // Delivered and not wholly said: that would be loss.
    const bool is_whole = one.heard.find("\n..hello\n.\n") != std::string::npos ||
                          one.heard.find(" LAST\nSubject: x\n\n.hello\n") != std::string::npos;
    for (const Fate& fate : one.fates) EXPECT_TRUE(fate.kind != sent || is_whole) << where << ": " << one.heard;
}

bool is_unharmed(const Conversation& one)
{
    return std::ranges::none_of(one.fates, [](const Fate& fate) { return fate.is_peer_trouble; });
}

TEST(broken_network, every_byte_may_be_the_last)
{
    for (const Script& script : scripts()) {
        for (const Damage damage : {Damage::closed_in, Damage::reset_in, Damage::closed_out, Damage::reset_out}) {
            std::size_t harmed = 0, in_peace = 0;
            for (std::size_t after = 0; in_peace < 30; ++after) {
                test::Loop loop;
                Conversation one(loop.executor(), script);
                one.harm(damage, after);
                loop.run(wait_for_both(one));
                expect_honest(one, damage, after);
                if (testing::Test::HasFatalFailure()) return;
                in_peace = is_unharmed(one) ? in_peace + 1 : 0;
                harmed += is_unharmed(one) ? 0 : 1;
            }
            EXPECT_GT(harmed, 40u) << script.name;
        }
    }
}

TEST(broken_network, silence_ends_with_the_time_limit)
{
    // All at once: a second of silence is the same second for everybody.
    const auto all_scripts = scripts();
    test::Loop loop;
    struct Place {
        Damage damage;
        std::size_t after;
    };
    std::deque<Conversation> all;
    std::vector<Place> places;
    for (const Script& script : all_scripts) {
        for (const Damage damage : {Damage::silent_in, Damage::silent_out}) {
            for (std::size_t after = 0; after < 700; after += 7) {
                all.emplace_back(loop.executor(), script).harm(damage, after);
                places.push_back({damage, after});
                loop.start(all.back().speak());
                loop.start(all.back().answer());
            }
        }
    }
    loop.context().restart();
    loop.context().run();
    for (std::size_t i = 0; i < all.size(); ++i) {
        expect_honest(all[i], places[i].damage, places[i].after);
        if (testing::Test::HasFatalFailure()) return;
    }
    const auto unharmed = static_cast<std::size_t>(std::ranges::count_if(all, is_unharmed));
    EXPECT_GT(unharmed, all.size() / 10);
    EXPECT_LT(unharmed, all.size() * 9 / 10);
}

TEST(broken_network, half_a_large_message_is_no_message)
{
    Script script = scripts().front();
    for (int i = 0; i < 20'000; ++i) script.content += "line " + std::to_string(i) + "\n";
    script.content += ".hello\n";
    for (std::size_t after = 300; after < script.content.size(); after += 9973) {
        for (const Damage damage : {Damage::closed_out, Damage::reset_out}) {
            test::Loop loop;
            Conversation one(loop.executor(), script);
            one.harm(damage, after);
            loop.run(wait_for_both(one));
            ASSERT_EQ(one.fates.size(), 3u);
            for (const Fate& fate : one.fates) EXPECT_EQ(fate.kind, later) << after << ": " << fate.status.text;
            EXPECT_EQ(one.heard.find("\n.\n"), std::string::npos) << after;
        }
    }
}

}  // namespace
}  // namespace ekiden::deliver::smtp
