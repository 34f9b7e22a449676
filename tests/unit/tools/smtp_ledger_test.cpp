#include "base/text.hpp"
#include "tools/smtp_sink_ledger.hpp"
#include "tools/smtp_sink_session.hpp"
#include "tools/smtp_source_session.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <string>

namespace ekiden::tools {
namespace {

const std::string a(64, 'a'), b(64, 'b');

std::string line(std::string_view kind, std::string_view digest, std::string_view rest)
{
    return std::string(kind) + " " + std::string(digest) + " " + std::string(rest) + "\n";
}

struct Comparison {
    const char* name;
    std::string sent, received;
    std::vector<std::string> findings;
    std::string summary;
    bool is_proof;
};

class Comparisons : public testing::TestWithParam<Comparison> {};

TEST_P(Comparisons, FindWhatWentWrong)
{
    const Comparison& c = GetParam();
    const auto report = check_ledgers(c.sent, c.received);
    ASSERT_TRUE(report);
    std::vector<std::string> findings;
    for (const LedgerFinding& finding : report->findings) findings.push_back(finding.text());
    EXPECT_EQ(findings, c.findings);
    EXPECT_EQ(report->summary(), c.summary);
    EXPECT_EQ(report->is_proof(), c.is_proof);
}

const std::string one = line("offered", a, "f/1 x@y") + line("accepted", a, "f/1 x@y");

const Comparison comparisons[] = {
    {"Sound", one, line("received", a, "f/1 x@y"), {},
     "1 acknowledged: 1 arrived once and unchanged, 0 lost, 0 duplicate, 0 changed; 0 unasked", true},
    {"Nothing", "", "", {}, "0 acknowledged: 0 arrived once and unchanged, 0 lost, 0 duplicate, 0 changed; 0 unasked", false},
    {"Lost", one + line("accepted", a, "f/2 x@y"), line("received", a, "f/1 x@y"), {"lost f/2 x@y"},
     "2 acknowledged: 1 arrived once and unchanged, 1 lost, 0 duplicate, 0 changed; 0 unasked", false},
    {"OneOfTwoRecipientsLost", one + line("accepted", a, "f/1 z@y"), line("received", a, "f/1 z@y"), {"lost f/1 x@y"},
     "2 acknowledged: 1 arrived once and unchanged, 1 lost, 0 duplicate, 0 changed; 0 unasked", false},
    {"Duplicate", one, line("received", a, "f/1 x@y") + line("received", a, "f/1 x@y"),
     {"duplicate f/1 x@y (arrived 2 times)"},
     "1 acknowledged: 0 arrived once and unchanged, 0 lost, 1 duplicate, 0 changed; 0 unasked", false},
    {"Changed", one, line("received", b, "f/1 x@y"), {"changed f/1 x@y"},
     "1 acknowledged: 0 arrived once and unchanged, 0 lost, 0 duplicate, 1 changed; 0 unasked", false},
    {"RefusedYetArrived", one + line("offered", b, "f/2 x@y") + line("refused", b, "f/2 x@y"),
     line("received", a, "f/1 x@y") + line("received", b, "f/2 x@y"), {"unasked f/2 x@y (it was refused)"},
     "1 acknowledged: 1 arrived once and unchanged, 0 lost, 0 duplicate, 0 changed; 1 unasked", false},
    {"NeverSentThere", one, line("received", a, "f/1 x@y") + line("received", a, "f/1 q@y"), {"unasked f/1 q@y (never sent)"},
     "1 acknowledged: 1 arrived once and unchanged, 0 lost, 0 duplicate, 0 changed; 1 unasked", false},
    {"WithoutAnAnswerBothIsWell", one + line("offered", b, "f/2 x@y") + line("offered", b, "f/3 x@y"),
     line("received", a, "f/1 x@y") + line("received", b, "f/3 x@y"), {},
     "1 acknowledged: 1 arrived once and unchanged, 0 lost, 0 duplicate, 0 changed; 0 unasked; "
     "2 without an answer, of which 1 arrived", true},
    {"WithoutAnAnswerTwiceIsNot", one + line("offered", b, "f/2 x@y"),
     line("received", a, "f/1 x@y") + line("received", b, "f/2 x@y") + line("received", b, "f/2 x@y"),
     {"duplicate f/2 x@y (arrived 2 times)"},
     "1 acknowledged: 1 arrived once and unchanged, 0 lost, 1 duplicate, 0 changed; 0 unasked; "
     "1 without an answer, of which 1 arrived", false},
    {"OthersAndHalfALine", one, line("received", b, "e/1 x@y") + line("unmarked", "-", "- x@y") +
     line("received", a, "f/1 x@y") + "received " + a, {},
     "1 acknowledged: 1 arrived once and unchanged, 0 lost, 0 duplicate, 0 changed; 0 unasked; 1 of other runs; "
     "1 without a mark", true},
};

INSTANTIATE_TEST_SUITE_P(Ledger, Comparisons, testing::ValuesIn(comparisons),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Ledger, IsToldAsJson)
{
    const auto report = check_ledgers(one + line("accepted", a, "f/2 \"q\"@y"),
                                      line("received", a, "f/1 x@y") + line("received", a, "f/1 x@y"));
    ASSERT_TRUE(report);
    EXPECT_EQ(
        report->json(),
        R"({"proof":false,"acknowledged":2,"sound":0,"lost":1,"duplicate":1,"changed":0,"unasked":0,"unanswered":0,)"
        R"("unanswered_arrived":0,"other_runs":0,"unmarked":0,"findings":[)"
        R"({"what":"duplicate","id":"f/1","recipient":"x@y","remark":"arrived 2 times"},)"
        R"({"what":"lost","id":"f/2","recipient":"\"q\"@y","remark":""}]})");
}

// The final dot is answered for each recipient in LMTP, and once for all of them in SMTP; 421 is a refusal.
TEST(Ledger, KeepsWhatTheServerAnswered)
{
    const struct {
        bool is_lmtp;
        std::vector<int> answers;
        std::vector<std::string> kinds;
    } rows[] = {
        {false, {250}, {"offered", "offered", "accepted", "accepted"}},
        {false, {452}, {"offered", "offered", "refused", "refused"}},
        {false, {421}, {"offered", "offered", "refused", "refused"}},
        {false, {}, {"offered", "offered"}},
        {true, {250, 552}, {"offered", "offered", "accepted", "refused"}},
        {true, {552, 250}, {"offered", "offered", "refused", "accepted"}},
        {true, {250, 421}, {"offered", "offered", "accepted", "refused"}},
        {true, {421}, {"offered", "offered", "refused", "refused"}},
        {true, {250}, {"offered", "offered", "accepted"}},
    };
    const std::string path = testing::TempDir() + "ekiden_ledger_answers";
    for (const auto& row : rows) {
        std::remove(path.c_str());
        auto ledger = LedgerFile::open(path);
        ASSERT_TRUE(ledger);
        Campaign campaign;
        campaign.is_lmtp = row.is_lmtp;
        campaign.tolerates_rejection = true;
        campaign.sender = campaign.recipient = "a@b";
        campaign.recipients_per_message = 3;
        campaign.content = "x\r\n.\r\n";
        campaign.ledger = &*ledger;
        campaign.ledger_run = "f";
        SourceSession source(campaign, 0);
        source.start();
        std::string out;
        for (const int code : {220, 250, 250, 250, 550, 250, 354}) source.on_reply(code, out);  // 2a@b is refused
        for (const int code : row.answers) source.on_reply(code, out);
        ASSERT_TRUE(ledger->flush());
        std::vector<std::string> kinds;
        const std::string text = *base::read_file(path, 10'000);
        std::size_t copies = 0;
        for (const std::string_view entry : base::split(text, '\n')) {
            if (entry.empty()) continue;
            kinds.emplace_back(entry.substr(0, entry.find(' ')));
            EXPECT_TRUE(entry.ends_with(copies++ % 2 == 0 ? "f/1 3a@b" : "f/1 a@b")) << entry;
        }
        EXPECT_EQ(kinds, row.kinds);
    }
}

TEST(Ledger, NamesTheLineThatCannotBeRead)
{
    EXPECT_EQ(check_ledgers(one + "nonsense\n", "").error().text(), "sent ledger: line 3 cannot be read");
    EXPECT_EQ(check_ledgers(one, line("accepted", a, "f/1 x@y")).error().text(),
              "received ledger: line 1 cannot be read");
    EXPECT_EQ(check_ledgers(one, line("received", "abc", "f/1 x@y")).error().text(),
              "received ledger: line 1 cannot be read");
}

// What a source sends through a server that puts a header in front arrives at a sink, cut at any place.
class Road {
public:
    explicit Road(std::size_t piece) : piece_(piece), sent_(path("sent")), received_(path("received"))
    {
        std::remove(sent_.c_str());
        std::remove(received_.c_str());
    }

    void send(std::string content, const std::function<void(std::string&)>& on_the_way)
    {
        auto sent = LedgerFile::open(sent_), received = LedgerFile::open(received_);
        ASSERT_TRUE(sent && received);
        Campaign campaign;
        campaign.host_name = "h";
        campaign.sender = campaign.recipient = "a@b";
        campaign.recipients_per_message = 2;
        campaign.content = make_content(content) + "\r\n.\r\n";
        campaign.ledger = &*sent;
        campaign.ledger_run = "0123456789abcdef";
        SinkSettings settings;
        settings.ledger = &*received;

        SourceSession source(campaign, 0);
        SinkSession sink(settings, "");
        source.start();
        std::string replies;
        sink.start(replies);
        ReplyReader reader;
        for (;;) {
            reader.add(replies);
            replies.clear();
            std::string out;
            const auto reply = reader.next();
            if (!reply) break;
            const auto step = source.on_reply(reply->code, out);
            EXPECT_EQ(step.rejected, "");
            if (step.next == SourceSession::Next::reconnect) break;
            if (step.next == SourceSession::Next::send_body) {
                out += campaign.content;
                on_the_way(out);
                out.insert(0, "Received: from x by y;\r\n now\r\n");
            }
            for (std::size_t at = 0; at < out.size(); at += piece_)
                sink.receive(std::string_view(out).substr(at, piece_), replies);
        }
        ASSERT_TRUE(sent->flush());
        ASSERT_TRUE(received->flush());
    }

    LedgerReport report()
    {
        auto report = check_ledgers(*base::read_file(sent_, 100'000), *base::read_file(received_, 100'000));
        return report ? *report : LedgerReport{};
    }

private:
    static std::string path(std::string_view name) { return testing::TempDir() + "ekiden_ledger_" + std::string(name); }
    std::size_t piece_;
    std::string sent_, received_;
};

constexpr std::string_view dotty = ".one\n..two\n\n.\nthree\n";

TEST(Ledger, ProvesThatAMessageIsUnchangedInPiecesOfAnySize)
{
    for (std::size_t piece = 1; piece < 90; ++piece) {
        Road road(piece);
        road.send(std::string(dotty), [](std::string&) {});
        const LedgerReport report = road.report();
        EXPECT_TRUE(report.is_proof()) << piece << ": " << report.summary();
        EXPECT_EQ(report.acknowledged, 2u);
    }
}

TEST(Ledger, SeesOneChangedByte)
{
    for (const std::string_view changed : {"three", "Subject", "<a@b>", "two\r\n"}) {
        Road road(1000);
        road.send(std::string(dotty) + "Subject", [&](std::string& text) { text.insert(text.find(changed) + 1, "z"); });
        EXPECT_EQ(road.report().changed, 2u) << changed;
    }
}

TEST(Ledger, SeesAMarkThatIsGone)
{
    Road road(1000);
    road.send(std::string(dotty), [](std::string& text) { text[3] = 'z'; });
    const LedgerReport report = road.report();
    EXPECT_EQ(report.lost, 2u);
    EXPECT_EQ(report.unmarked, 2u);
    EXPECT_FALSE(report.is_proof());
}

// A message that the sink refuses is not there: it comes again.
TEST(Ledger, LeavesOutWhatIsRefused)
{
    const std::string path = testing::TempDir() + "ekiden_ledger_refused";
    std::remove(path.c_str());
    auto ledger = LedgerFile::open(path);
    ASSERT_TRUE(ledger);
    SinkSettings settings;
    settings.ledger = &*ledger;
    settings.treatment(SinkVerb::dot).fails_softly = true;
    SinkSession sink(settings, "");
    std::string replies;
    sink.start(replies);
    sink.receive("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n", replies);
    sink.receive("x\r\n.\r\n", replies);
    EXPECT_TRUE(replies.ends_with("450 4.3.0 Error: command failed\r\n"));
    settings.treatment(SinkVerb::dot).fails_softly = false;
    sink.receive("MAIL FROM:<a@b>\r\nRCPT TO:<\"a> c\"@b> NOTIFY=NEVER\r\nDATA\r\n", replies);
    sink.receive("x\r\n.\r\n", replies);
    EXPECT_EQ(*base::read_file(path, 1000), "unmarked - - \"a> c\"@b\n");
}

}  // namespace
}  // namespace ekiden::tools
