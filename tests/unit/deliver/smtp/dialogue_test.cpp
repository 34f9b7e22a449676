// Dialogues as tables: what the server says, what the client must have said by then, and what became of everybody.
#include "deliver/smtp/dialogue.hpp"

#include "base/text.hpp"
#include "deliver/smtp/handshake.hpp"

#include <gtest/gtest.h>

namespace ekiden::deliver::smtp {
namespace {

constexpr const char* peer = "mx.test[192.0.2.1]";

ekiden::smtp::Reply reply_of(const std::string& text)
{
    ekiden::smtp::ReplyParser parser;
    for (std::string_view line : base::split(text, '|')) {
        auto is_complete = parser.feed(line);
        if (!is_complete) throw std::logic_error("bad reply in the script: " + text);
        if (*is_complete) return parser.take();
    }
    throw std::logic_error("unfinished reply in the script: " + text);
}

ekiden::smtp::Offer offer_of(const std::string& keywords)
{
    std::string text = "250-mx.test";
    const auto words = base::split(keywords, ',');
    for (std::size_t i = 0; i < words.size(); ++i)
        text += "|250" + std::string(i + 1 == words.size() ? " " : "-") + std::string(words[i]);
    return parse_offer(reply_of(text));
}

std::string show(const std::optional<Fate>& fate)
{
    if (!fate) return "undecided";
    const char* kind = fate->kind == Outcome::Kind::delivered ? "sent"
                       : fate->kind == Outcome::Kind::bounced ? "bounced"
                                                              : "deferred";
    return std::string(kind) + " " + fate->status.code + " " + fate->status.text;
}

Message message_to(const std::string& recipients)
{
    Message message;
    message.sender = "from@a.test";
    message.size = 328;
    for (std::string_view name : base::split(recipients, ',')) {
        Message::Recipient recipient;
        recipient.address = std::string(name) + "@b.test";
        message.recipients.push_back(recipient);
    }
    return message;
}

struct Script {
    const char* name;
    bool is_lmtp;
    const char* keywords;
    const char* recipients;
    bool probes;
    std::vector<std::string>
        lines;  // "C: a|b" what must come out, "S: reply" what goes in, "(content)", "(chunk)" that is not the last
    std::vector<std::string> want;    // one fate a recipient; empty = stale
    bool needs_reset;
};

const std::vector<Script>& scripts()
{
    static const std::vector<Script> all{
        {"pipelined",
         false,
         "PIPELINING,SIZE,8BITMIME,DSN",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test> SIZE=328|RCPT TO:<x@b.test> ORCPT=rfc822;x@b.test|DATA", "S: 250 2.1.0 Ok",
          "S: 250 2.1.5 Ok", "S: 354 go", "(content)", "S: 250 2.0.0 Ok: queued as 1"},
         {"sent 2.0.0 250 2.0.0 Ok: queued as 1"},
         false},
        {"one by one",
         false,
         "SIZE",
         "x,y",
         false,
         {"C: MAIL FROM:<from@a.test> SIZE=328", "S: 250 Ok", "C: RCPT TO:<x@b.test>", "S: 250 Ok",
          "C: RCPT TO:<y@b.test>", "S: 250 Ok", "C: DATA", "S: 354 go", "(content)", "S: 250 done"},
         {"sent 2.0.0 250 done", "sent 2.0.0 250 done"},
         false},
        {"some refused",
         false,
         "PIPELINING",
         "x,y,z",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|RCPT TO:<y@b.test>|RCPT TO:<z@b.test>|DATA", "S: 250 Ok",
          "S: 450 4.2.1 Mailbox temporarily unavailable", "S: 250 Ok", "S: 550-5.7.1 First|550 5.7.1 last", "S: 354 go",
          "(content)", "S: 250 2.0.0 done"},
         {"deferred 4.2.1 host mx.test[192.0.2.1] said: 450 4.2.1 Mailbox temporarily unavailable (in reply to RCPT TO command)",
          "sent 2.0.0 250 2.0.0 done",
          "bounced 5.7.1 host mx.test[192.0.2.1] said: 550-5.7.1 First 550 5.7.1 last (in reply to RCPT TO command)"},
         false},
        {"all refused, DATA refused",
         false,
         "PIPELINING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|DATA", "S: 250 Ok", "S: 550 no such user",
          "S: 554 5.5.1 No valid recipients"},
         {"bounced 5.0.0 host mx.test[192.0.2.1] said: 550 no such user (in reply to RCPT TO command)"},
         true},
        {"all refused, DATA accepted",
         false,
         "PIPELINING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|DATA", "S: 250 Ok", "S: 550 5.1.1 no", "S: 354 go", "C: .",
          "S: 250 what was that"},
         {"bounced 5.1.1 host mx.test[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command)"},
         false},
        {"all refused without pipelining",
         false,
         "SIZE",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test> SIZE=328", "S: 250 Ok", "C: RCPT TO:<x@b.test>", "S: 550 5.1.1 no"},
         {"bounced 5.1.1 host mx.test[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command)"},
         true},
        {"sender refused, pipelined",
         false,
         "PIPELINING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|DATA", "S: 550 5.1.8 Sender rejected", "S: 250 2.1.5 Ok",
          "S: 354 go", "C: .", "S: 250 2.0.0 Ok"},
         {"bounced 5.1.8 host mx.test[192.0.2.1] said: 550 5.1.8 Sender rejected (in reply to MAIL FROM command)"},
         false},
        {"sender refused",
         false,
         "SIZE",
         "x,y",
         false,
         {"C: MAIL FROM:<from@a.test> SIZE=328", "S: 451 4.3.0 later"},
         {"deferred 4.3.0 host mx.test[192.0.2.1] said: 451 4.3.0 later (in reply to MAIL FROM command)",
          "deferred 4.3.0 host mx.test[192.0.2.1] said: 451 4.3.0 later (in reply to MAIL FROM command)"},
         true},
        {"DATA refused",
         false,
         "PIPELINING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|DATA", "S: 250 Ok", "S: 250 Ok", "S: 451 4.3.0 not now"},
         {"deferred 4.3.0 host mx.test[192.0.2.1] said: 451 4.3.0 not now (in reply to DATA command)"},
         true},
        {"DATA answered with 250",
         false,
         "PIPELINING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|DATA", "S: 250 Ok", "S: 250 Ok", "S: 250 thanks"},
         {"bounced 5.5.0 Protocol error: host mx.test[192.0.2.1] said: 250 thanks (in reply to DATA command)"},
         true},
        {"content refused",
         false,
         "PIPELINING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|DATA", "S: 250 Ok", "S: 250 Ok", "S: 354 go", "(content)",
          "S: 554 5.7.1 Message content rejected"},
         {"bounced 5.7.1 host mx.test[192.0.2.1] said: 554 5.7.1 Message content rejected (in reply to end of DATA command)"},
         false},
        {"enhanced code of another class is not believed",
         false,
         "PIPELINING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|DATA", "S: 250 Ok", "S: 550 4.1.1 odd", "S: 503 no"},
         {"bounced 5.0.0 host mx.test[192.0.2.1] said: 550 4.1.1 odd (in reply to RCPT TO command)"},
         true},
        {"a connection that was idle",
         false,
         "PIPELINING",
         "x",
         true,
         {"C: RSET|MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|DATA", "S: 250 Ok", "S: 250 Ok", "S: 250 Ok", "S: 354 go",
          "(content)", "S: 250 done"},
         {"sent 2.0.0 250 done"},
         false},
        {"a connection that was idle for too long",
         false,
         "PIPELINING",
         "x",
         true,
         {"C: RSET|MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|DATA", "S: 421 4.4.2 bye"},
         {},
         false},
        {"LMTP answers for each recipient",
         true,
         "PIPELINING",
         "x,y,z",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|RCPT TO:<y@b.test>|RCPT TO:<z@b.test>|DATA", "S: 250 Ok",
          "S: 250 Ok", "S: 550 5.1.1 no", "S: 250 Ok", "S: 354 go", "(content)", "S: 250 2.1.5 saved",
          "S: 452 4.2.2 full"},
         {"sent 2.1.5 250 2.1.5 saved",
          "bounced 5.1.1 host mx.test[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command)",
          "deferred 4.2.2 host mx.test[192.0.2.1] said: 452 4.2.2 full (in reply to end of DATA command)"},
         false},
        {"LMTP that wants content for nobody",
         true,
         "PIPELINING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|DATA", "S: 250 Ok", "S: 550 5.1.1 no", "S: 354 go"},
         {"bounced 5.1.1 host mx.test[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command)"},
         true},
        {"one chunk",
         false,
         "PIPELINING,CHUNKING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>", "S: 250 Ok", "S: 250 Ok", "(content)",
          "S: 250 2.0.0 Ok: queued as 1"},
         {"sent 2.0.0 250 2.0.0 Ok: queued as 1"},
         false},
        {"one chunk, command by command",
         false,
         "CHUNKING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>", "S: 250 Ok", "C: RCPT TO:<x@b.test>", "S: 250 Ok", "(content)",
          "S: 554 5.7.1 no"},
         {"bounced 5.7.1 host mx.test[192.0.2.1] said: 554 5.7.1 no (in reply to end of DATA command)"},
         false},
        {"chunks",
         false,
         "PIPELINING,CHUNKING",
         "x,y",
         true,
         {"C: RSET|MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|RCPT TO:<y@b.test>", "S: 250 Ok", "S: 250 Ok",
          "S: 550 5.1.1 no", "S: 250 Ok", "(chunk)", "(chunk)", "A: 250 Ok", "(chunk)", "A: 250 Ok", "A: 250 Ok",
          "(content)", "S: 250 2.0.0 done"},
         {"bounced 5.1.1 host mx.test[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command)",
          "sent 2.0.0 250 2.0.0 done"},
         false},
        {"chunks, the first refused for now",
         false,
         "PIPELINING,CHUNKING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>", "S: 250 Ok", "S: 250 Ok", "(chunk)", "(chunk)",
          "A: 452 4.3.1 full", "S: 503 5.5.1 what"},
         {"deferred 4.3.1 host mx.test[192.0.2.1] said: 452 4.3.1 full (in reply to DATA command)"},
         true},
        {"chunks, the second refused for good",
         false,
         "CHUNKING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>", "S: 250 Ok", "C: RCPT TO:<x@b.test>", "S: 250 Ok", "(chunk)", "A: 250 Ok",
          "(chunk)", "A: 552 5.3.4 too big"},
         {"bounced 5.3.4 host mx.test[192.0.2.1] said: 552 5.3.4 too big (in reply to DATA command)"},
         true},
        {"chunks, the peer leaves",
         false,
         "PIPELINING,CHUNKING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>", "S: 250 Ok", "S: 250 Ok", "(chunk)", "A: 421 4.3.2 bye"},
         {"deferred 4.3.2 host mx.test[192.0.2.1] said: 421 4.3.2 bye (in reply to DATA command)"},
         true},
        {"no chunk for nobody",
         false,
         "PIPELINING,CHUNKING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>", "S: 250 Ok", "S: 550 5.1.1 no"},
         {"bounced 5.1.1 host mx.test[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command)"},
         true},
        {"no chunk from a refused sender",
         false,
         "PIPELINING,CHUNKING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>", "S: 450 4.1.8 no", "S: 250 Ok"},
         {"deferred 4.1.8 host mx.test[192.0.2.1] said: 450 4.1.8 no (in reply to MAIL FROM command)"},
         true},
        {"who offers chunks does not know them",
         false,
         "PIPELINING,CHUNKING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>", "S: 250 Ok", "S: 250 Ok", "(content)", "S: 502 5.5.2 what?"},
         {"deferred 4.5.2 host mx.test[192.0.2.1] said: 502 5.5.2 what? (in reply to DATA command)"},
         true},
        {"who offers several chunks does not know them",
         false,
         "PIPELINING,CHUNKING",
         "x",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>", "S: 250 Ok", "S: 250 Ok", "(chunk)", "(chunk)",
          "A: 500 what?"},
         {"deferred 4.0.0 host mx.test[192.0.2.1] said: 500 what? (in reply to DATA command)"},
         true},
        {"LMTP answers the last chunk for each recipient",
         true,
         "PIPELINING,CHUNKING",
         "x,y,z",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|RCPT TO:<y@b.test>|RCPT TO:<z@b.test>", "S: 250 Ok",
          "S: 250 Ok", "S: 550 5.1.1 no", "S: 250 Ok", "(chunk)", "A: 250 Ok", "(content)", "S: 250 2.1.5 saved",
          "S: 452 4.2.2 full"},
         {"sent 2.1.5 250 2.1.5 saved",
          "bounced 5.1.1 host mx.test[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command)",
          "deferred 4.2.2 host mx.test[192.0.2.1] said: 452 4.2.2 full (in reply to end of DATA command)"},
         false},
        {"LMTP, the only chunk",
         true,
         "PIPELINING,CHUNKING",
         "x,y",
         false,
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|RCPT TO:<y@b.test>", "S: 250 Ok", "S: 250 Ok", "S: 250 Ok",
          "(content)", "S: 250 saved", "S: 500 5.0.0 no"},
         {"sent 2.0.0 250 saved",
          "bounced 5.0.0 host mx.test[192.0.2.1] said: 500 5.0.0 no (in reply to end of DATA command)"},
         false},
        {"too big",
         false,
         "PIPELINING,SIZE 100",
         "x",
         false,
         {},
         {"bounced 5.3.4 message size 328 exceeds size limit 100 of server mx.test[192.0.2.1]"},
         false},
    };
    return all;
}

// Plays the first `count` lines of the script; gives what the client said that the script did not expect.
std::string play(Dialogue& dialogue, const Script& script, std::size_t count)
{
    std::string said;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string& line = script.lines[i];
        said += dialogue.take_output();
        if (line.starts_with("C: ")) {
            std::string want;
            for (std::string_view command : base::split(line.substr(3), '|')) want += std::string(command) + "\r\n";
            if (said != want) return "at \"" + line + "\" the client said: " + base::printable(said);
            said.clear();
        } else if (line == "(content)") {
            if (!dialogue.wants_content()) return "no content wanted";
            if (dialogue.uses_chunks() && dialogue.must_hear_before(true)) return "the last chunk must wait";
            dialogue.content_sent();
        } else if (line == "(chunk)") {
            if (!dialogue.wants_content() || dialogue.must_hear_before(false)) return "no chunk wanted";
            dialogue.chunk_sent();
        } else if (line.starts_with("A: ")) {   // a reply between chunks
            if (!dialogue.wants_content() || !dialogue.must_hear_before(true)) return "no reply awaited before " + line;
            dialogue.on_reply(reply_of(line.substr(3)));
        } else {
            if (dialogue.wants_content()) return "content wanted before " + line;
            dialogue.on_reply(reply_of(line.substr(3)));
        }
    }
    return said + dialogue.take_output();
}

TEST(dialogue, follows_the_script)
{
    for (const Script& script : scripts()) {
        const Message message = message_to(script.recipients);
        Dialogue dialogue(message, offer_of(script.keywords), script.is_lmtp, peer, script.probes);
        EXPECT_EQ(play(dialogue, script, script.lines.size()), "") << script.name;
        EXPECT_TRUE(dialogue.is_done()) << script.name;
        EXPECT_EQ(dialogue.is_stale(), script.want.empty()) << script.name;
        EXPECT_EQ(dialogue.needs_reset(), script.needs_reset) << script.name;
        for (std::size_t i = 0; i < script.want.size(); ++i)
            EXPECT_EQ(show(dialogue.fates()[i]), script.want[i]) << script.name;
    }
}

// A message that only asks: nothing is sent, whatever the peer says.
TEST(dialogue, asks_and_delivers_nothing)
{
    struct Question {
        Message::Question question;
        bool is_lmtp;
        const char* keywords;
        std::vector<std::string> lines, want;
        bool needs_reset, is_broken;
    };
    const Question questions[] = {
        {Message::Question::rcpt,
         false,
         "PIPELINING",
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|RCPT TO:<y@b.test>", "S: 250 Ok", "S: 250 2.1.5 Ok",
          "S: 550 5.1.1 no"},
         {"sent 2.1.5 250 2.1.5 Ok",
          "bounced 5.1.1 host mx.test[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command)"},
         true,
         false},
        {Message::Question::rcpt,
         true,
         "SIZE",
         {"C: MAIL FROM:<from@a.test> SIZE=328", "S: 250 Ok", "C: RCPT TO:<x@b.test>", "S: 450 4.2.1 later",
          "C: RCPT TO:<y@b.test>", "S: 250 Ok"},
         {"deferred 4.2.1 host mx.test[192.0.2.1] said: 450 4.2.1 later (in reply to RCPT TO command)",
          "sent 2.0.0 250 Ok"},
         true,
         false},
        {Message::Question::rcpt,
         false,
         "SIZE",
         {"C: MAIL FROM:<from@a.test> SIZE=328", "S: 550 5.7.1 not you"},
         {"bounced 5.7.1 host mx.test[192.0.2.1] said: 550 5.7.1 not you (in reply to MAIL FROM command)",
          "bounced 5.7.1 host mx.test[192.0.2.1] said: 550 5.7.1 not you (in reply to MAIL FROM command)"},
         true,
         false},
        {Message::Question::data,
         false,
         "PIPELINING",
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|RCPT TO:<y@b.test>|DATA", "S: 250 Ok", "S: 250 Ok",
          "S: 550 no", "S: 354 go ahead"},
         {"sent 2.0.0 354 go ahead",
          "bounced 5.0.0 host mx.test[192.0.2.1] said: 550 no (in reply to RCPT TO command)"},
         true,
         true},
        {Message::Question::data,
         false,
         "PIPELINING",
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|RCPT TO:<y@b.test>|DATA", "S: 250 Ok", "S: 250 Ok",
          "S: 250 Ok", "S: 550 5.1.1 nobody"},
         {"bounced 5.1.1 host mx.test[192.0.2.1] said: 550 5.1.1 nobody (in reply to DATA command)",
          "bounced 5.1.1 host mx.test[192.0.2.1] said: 550 5.1.1 nobody (in reply to DATA command)"},
         true,
         false},
        // Everybody was refused, and the peer wants content all the same: it gets none, not even an empty message.
        {Message::Question::data,
         false,
         "PIPELINING",
         {"C: MAIL FROM:<from@a.test>|RCPT TO:<x@b.test>|RCPT TO:<y@b.test>|DATA", "S: 250 Ok", "S: 550 no",
          "S: 550 no", "S: 354 go"},
         {"bounced 5.0.0 host mx.test[192.0.2.1] said: 550 no (in reply to RCPT TO command)",
          "bounced 5.0.0 host mx.test[192.0.2.1] said: 550 no (in reply to RCPT TO command)"},
         true,
         true},
    };
    for (const Question& row : questions) {
        Message message = message_to("x,y");
        message.question = row.question;
        Dialogue dialogue(message, offer_of(row.keywords), row.is_lmtp, peer, false);
        const Script script{"question", row.is_lmtp, row.keywords, "x,y", false, row.lines, row.want, row.needs_reset};
        EXPECT_EQ(play(dialogue, script, script.lines.size()), "") << row.lines.front();
        EXPECT_TRUE(dialogue.is_done());
        EXPECT_FALSE(dialogue.wants_content());
        EXPECT_EQ(dialogue.needs_reset(), row.needs_reset);
        EXPECT_EQ(dialogue.is_broken(), row.is_broken);
        for (std::size_t i = 0; i < row.want.size(); ++i) EXPECT_EQ(show(dialogue.fates()[i]), row.want[i]);
    }
}

// Whatever breaks, wherever: everybody has a fate, it is no success that the peer did not confirm, and what the peer had
// decided before stands.
TEST(dialogue, survives_trouble_at_every_step)
{
    const std::pair<Trouble, const char*> troubles[] = {
        {Trouble::lost, "lost connection with "}, {Trouble::timed_out, "timed out while "},
        {Trouble::garbage, "bad reply from "}, {Trouble::local, "unreadable mail queue entry"}};
    int replays = 0;
    for (const Script& script : scripts()) {
        for (std::size_t cut = 0; cut < script.lines.size(); ++cut) {
            for (const auto& [trouble, words] : troubles) {
                const Message message = message_to(script.recipients);
                Dialogue dialogue(message, offer_of(script.keywords), script.is_lmtp, peer, script.probes);
                (void)play(dialogue, script, cut);
                const auto before = dialogue.fates();
                const bool was_done = dialogue.is_done();
                ASSERT_FALSE(was_done) << script.name << " " << cut;
                dialogue.on_trouble(trouble);
                ++replays;
                EXPECT_TRUE(dialogue.is_done());
                EXPECT_TRUE(dialogue.is_broken());
                if (dialogue.is_stale()) continue;
                for (std::size_t i = 0; i < before.size(); ++i) {
                    const auto& fate = dialogue.fates()[i];
                    ASSERT_TRUE(fate) << script.name;
                    if (before[i]) {
                        EXPECT_EQ(show(fate), show(before[i])) << script.name << " cut at " << cut;
                    } else {
                        EXPECT_EQ(fate->kind, Outcome::Kind::deferred) << script.name << " cut at " << cut;
                        EXPECT_NE(fate->status.text.find(words), std::string::npos) << fate->status.text;
                    }
                }
            }
        }
    }
    EXPECT_GT(replays, 200);
}

// The same with a reply that makes no sense where it comes.
TEST(dialogue, survives_any_reply_at_every_step)
{
    for (const Script& script : scripts()) {
        for (std::size_t cut = 0; cut < script.lines.size(); ++cut) {
            for (const char* odd : {"250 fine", "354 go", "421 4.3.2 bye", "450 later", "550 never"}) {
                const Message message = message_to(script.recipients);
                Dialogue dialogue(message, offer_of(script.keywords), script.is_lmtp, peer, script.probes);
                (void)play(dialogue, script, cut);
                if (dialogue.wants_content()) continue;
                const bool is_last_word = dialogue.step() == Step::end_of_data;
                for (int i = 0; i < 300 && !dialogue.is_done(); ++i) {
                    if (dialogue.wants_content()) dialogue.content_sent();
                    dialogue.on_reply(reply_of(odd));
                    (void)dialogue.take_output();
                }
                ASSERT_TRUE(dialogue.is_done()) << script.name << " " << cut << " " << odd;
                if (dialogue.is_stale()) continue;
                for (const auto& fate : dialogue.fates()) {
                    ASSERT_TRUE(fate) << script.name << " " << odd;
                    const bool is_refused = std::string_view(odd).front() != '2';
                    if (is_refused && !is_last_word && script.lines[cut] != script.lines.back()) {
                        EXPECT_NE(fate->kind == Outcome::Kind::delivered && fate->reply == odd, true) << script.name;
                    }
                    if (fate->kind == Outcome::Kind::delivered) { EXPECT_EQ(fate->status.code.front(), '2'); }
                }
            }
        }
    }
}

TEST(dialogue, keeps_few_chunks_in_flight)
{
    const Message message = message_to("x");
    for (const auto& [keywords, most] :
         {std::pair<const char*, std::size_t>{"PIPELINING,CHUNKING", Dialogue::chunks_in_flight}, {"CHUNKING", 1}}) {
        Dialogue dialogue(message, offer_of(keywords), false, peer, false);
        for (int i = 0; i < 2; ++i) dialogue.on_reply(reply_of("250 Ok"));
        for (std::size_t round = 0; round < 3; ++round) {
            std::size_t sent = 0;
            for (; !dialogue.must_hear_before(false); ++sent) dialogue.chunk_sent();
            EXPECT_EQ(sent, round == 0 ? most : 1) << keywords;
            EXPECT_TRUE(dialogue.must_hear_before(true));
            dialogue.on_reply(reply_of("250 Ok"));
        }
        while (dialogue.must_hear_before(true)) dialogue.on_reply(reply_of("250 Ok"));
        dialogue.content_sent();
        dialogue.on_reply(reply_of("250 Ok"));
        EXPECT_TRUE(dialogue.is_done());
    }
    EXPECT_EQ(chunk_command(0, false), "BDAT 0\r\n");
    EXPECT_EQ(chunk_command(131072, true), "BDAT 131072 LAST\r\n");
    EXPECT_LE(chunk_command(static_cast<std::size_t>(-1), true).size(), 32u);
}

// Whether an empty message would be taken is not asked with a message.
TEST(dialogue, asks_about_data_with_data)
{
    Message message = message_to("x");
    message.question = Message::Question::data;
    Dialogue dialogue(message, offer_of("PIPELINING,CHUNKING"), false, peer, false);
    EXPECT_EQ(dialogue.take_output(), "MAIL FROM:<from@a.test>\r\nRCPT TO:<x@b.test>\r\nDATA\r\n");
}

TEST(dialogue, keeps_few_replies_in_flight)
{
    std::string names = "r0";
    for (int i = 1; i < 1000; ++i) names += ",r" + std::to_string(i);
    const Message message = message_to(names);
    Dialogue dialogue(message, offer_of("PIPELINING"), false, peer, false);
    std::size_t commands = 0;
    std::size_t answered = 0;
    const auto count = [&] {
        const std::string out = dialogue.take_output();
        commands += static_cast<std::size_t>(std::ranges::count(out, '\n'));
    };
    for (count(); !dialogue.wants_content(); count()) {
        EXPECT_LE(commands - answered, Dialogue::replies_in_flight);
        ++answered;
        dialogue.on_reply(reply_of(answered == 1002 ? "354 go" : "250 Ok"));
        ASSERT_LE(answered, 1002u);
    }
    EXPECT_EQ(commands, 1002u);
    dialogue.content_sent();
    dialogue.on_reply(reply_of("250 done"));
    EXPECT_TRUE(dialogue.is_done());
}

TEST(commands, carry_what_the_peer_offers)
{
    Message message = message_to("x");
    message.body = mail::BodyType::eight_bit;
    message.dsn_envid = "e+1";
    message.dsn_return = mail::DsnReturn::full;
    message.recipients[0].notify = mail::notify_success | mail::notify_delay;
    message.recipients[0].dsn_original = "rfc822;a+b@b.test";
    EXPECT_EQ(mail_command(message, offer_of("SIZE,8BITMIME,DSN")),
              "MAIL FROM:<from@a.test> SIZE=328 BODY=8BITMIME ENVID=e+2B1 RET=FULL\r\n");
    EXPECT_EQ(rcpt_command(message, 0, offer_of("DSN")),
              "RCPT TO:<x@b.test> ORCPT=rfc822;a+2Bb@b.test NOTIFY=SUCCESS,DELAY\r\n");
    EXPECT_EQ(mail_command(message, {}), "MAIL FROM:<from@a.test>\r\n");
    EXPECT_EQ(rcpt_command(message, 0, {}), "RCPT TO:<x@b.test>\r\n");
    message.recipients[0].notify = mail::notify_never;
    message.dsn_return = mail::DsnReturn::headers;
    message.dsn_envid.clear();
    message.body = mail::BodyType::seven_bit;
    message.wants_smtputf8 = true;
    message.sender.clear();
    EXPECT_EQ(mail_command(message, offer_of("8BITMIME,DSN,SMTPUTF8")), "MAIL FROM:<> BODY=7BIT SMTPUTF8 RET=HDRS\r\n");
    EXPECT_EQ(rcpt_command(message, 0, offer_of("DSN")),
              "RCPT TO:<x@b.test> ORCPT=rfc822;a+2Bb@b.test NOTIFY=NEVER\r\n");
    message.recipients[0].address = "a b@b.test";
    message.sender = "evil>\r\nDATA\r\n@a.test";
    EXPECT_EQ(rcpt_command(message, 0, {}), "RCPT TO:<\"a b\"@b.test>\r\n");
    EXPECT_EQ(mail_command(message, {}).find('\n'), mail_command(message, {}).size() - 1);
}

TEST(dialogue, smtputf8_is_required_only_where_it_is_needed)
{
    Message message = message_to("x");
    message.wants_smtputf8 = true;
    Dialogue wanted(message, {}, false, peer, false);
    EXPECT_EQ(wanted.take_output(), "MAIL FROM:<from@a.test>\r\n");
    message.needs_smtputf8 = true;
    Dialogue needed(message, {}, false, peer, false);
    ASSERT_TRUE(needed.is_done());
    EXPECT_EQ(needed.take_output(), "");
    EXPECT_EQ(show(needed.fates()[0]),
              "bounced 5.6.7 SMTPUTF8 is required, but was not offered by host mx.test[192.0.2.1]");
}

TEST(handshake, greets_or_tells_why_not)
{
    const struct {
        const char* name;
        bool is_lmtp, always, never, softens;
        std::vector<std::string> lines;   // as above; "T: lost", "T: timed out"
        const char* want;                 // "" = ready
        bool may_quit;
    } cases[] = {
        {"EHLO", false, true, false, true, {"S: 220 hi", "C: EHLO me.test", "S: 250-x|250 PIPELINING"}, "", true},
        {"HELO after 5xx",
         false,
         true,
         false,
         true,
         {"S: 220 hi", "C: EHLO me.test", "S: 502 no", "C: HELO me.test", "S: 250 x"},
         "",
         true},
        {"ESMTP in the greeting",
         false,
         false,
         false,
         true,
         {"S: 220-hi|220 ESMTP here", "C: EHLO me.test", "S: 250 x"},
         "",
         true},
        {"no ESMTP in the greeting", false, false, false, true, {"S: 220 hi", "C: HELO me.test", "S: 250 x"}, "", true},
        {"never EHLO", false, true, true, true, {"S: 220 ESMTP", "C: HELO me.test", "S: 250 x"}, "", true},
        {"LHLO", true, true, false, true, {"S: 220 hi", "C: LHLO me.test", "S: 250 x"}, "", true},
        {"greeting 554, softened",
         false,
         true,
         false,
         true,
         {"S: 554 No SMTP service here"},
         "deferred 4.0.0 host mx.test[192.0.2.1] refused to talk to me: 554 No SMTP service here",
         true},
        {"greeting 554",
         false,
         true,
         false,
         false,
         {"S: 554 No SMTP service here"},
         "bounced 5.0.0 host mx.test[192.0.2.1] refused to talk to me: 554 No SMTP service here",
         true},
        {"greeting 421",
         false,
         true,
         false,
         true,
         {"S: 421 4.3.2 try later"},
         "deferred 4.3.2 host mx.test[192.0.2.1] refused to talk to me: 421 4.3.2 try later",
         false},
        {"EHLO 4xx",
         false,
         true,
         false,
         true,
         {"S: 220 hi", "C: EHLO me.test", "S: 450 what", "C: HELO me.test", "S: 450 4.7.1 no"},
         "deferred 4.7.1 host mx.test[192.0.2.1] refused to talk to me: 450 4.7.1 no",
         true},
        {"EHLO 421",
         false,
         true,
         false,
         true,
         {"S: 220 hi", "C: EHLO me.test", "S: 421 4.3.2 bye"},
         "deferred 4.3.2 host mx.test[192.0.2.1] refused to talk to me: 421 4.3.2 bye",
         false},
        {"HELO 5xx",
         false,
         true,
         false,
         true,
         {"S: 220 hi", "C: EHLO me.test", "S: 502 no", "C: HELO me.test", "S: 550 5.7.1 go"},
         "bounced 5.7.1 host mx.test[192.0.2.1] refused to talk to me: 550 5.7.1 go",
         true},
        {"LHLO 5xx",
         true,
         true,
         false,
         true,
         {"S: 220 hi", "C: LHLO me.test", "S: 502 no"},
         "bounced 5.0.0 host mx.test[192.0.2.1] refused to talk to me: 502 no",
         true},
        {"silence",
         false,
         true,
         false,
         true,
         {"T: timed out"},
         "deferred 4.4.2 conversation with mx.test[192.0.2.1] timed out while receiving the initial server greeting",
         false},
        {"lost in EHLO",
         false,
         true,
         false,
         true,
         {"S: 220 hi", "C: EHLO me.test", "T: lost"},
         "deferred 4.4.2 lost connection with mx.test[192.0.2.1] while performing the EHLO handshake",
         false},
        {"lost in HELO",
         false,
         true,
         true,
         true,
         {"S: 220 hi", "C: HELO me.test", "T: lost"},
         "deferred 4.4.2 lost connection with mx.test[192.0.2.1] while performing the HELO handshake",
         false},
        {"lost in LHLO",
         true,
         true,
         true,
         true,
         {"S: 220 hi", "C: LHLO me.test", "T: lost"},
         "deferred 4.4.2 lost connection with mx.test[192.0.2.1] while performing the LHLO handshake",
         false},
    };
    for (const auto& c : cases) {
        HandshakeOptions options;
        options.own_name = "me.test";
        options.is_lmtp = c.is_lmtp;
        options.always_ehlo = c.always;
        options.never_ehlo = c.never;
        options.softens_5xx_greeting = c.softens;
        Handshake handshake(options, peer);
        for (const std::string& line : c.lines) {
            const std::string output = handshake.take_output();
            if (line.starts_with("C: ")) {
                EXPECT_EQ(output, line.substr(3) + "\r\n") << c.name;
                continue;
            }
            EXPECT_EQ(output, "") << c.name;
            EXPECT_FALSE(handshake.is_done()) << c.name;
            if (line.starts_with("S: ")) handshake.on_reply(reply_of(line.substr(3)));
            else handshake.on_trouble(line == "T: lost" ? Trouble::lost : Trouble::timed_out);
        }
        EXPECT_TRUE(handshake.is_done()) << c.name;
        EXPECT_EQ(handshake.failure() ? show(handshake.failure()) : "", c.want) << c.name;
        EXPECT_EQ(handshake.may_quit(), c.may_quit) << c.name;
    }
}

TEST(handshake, ignores_keywords_it_is_told_to)
{
    HandshakeOptions options;
    options.own_name = "me.test";
    options.ignored = ekiden::smtp::ext_pipelining;
    Handshake handshake(options, peer);
    handshake.on_reply(reply_of("220 hi"));
    handshake.on_reply(reply_of("250-x|250-PIPELINING|250 SIZE 1000"));
    EXPECT_FALSE(handshake.offer().has(ekiden::smtp::ext_pipelining));
    EXPECT_EQ(handshake.offer().size_limit, 1000u);
}

}  // namespace
}  // namespace ekiden::deliver::smtp
