// Whole deliveries against servers on loopback addresses: host after host, bytes on the wire, outcomes and log lines.
#include "deliver/smtp/delivery.hpp"

#include "base/log_sinks.hpp"
#include "support/fake_server.hpp"
#include "support/memory_stream.hpp"

#include <gtest/gtest.h>

namespace ekiden::deliver::smtp {
namespace {

using namespace std::chrono_literals;

class TextContent : public queue::Content {
public:
    explicit TextContent(std::string text, std::size_t piece = 1 << 20, bool is_broken = false)
        : text_(std::move(text)), piece_(piece), is_broken_(is_broken)
    {
    }
    std::uint64_t size() const override { return text_.size(); }
    std::optional<std::string_view> in_memory() const override { return std::nullopt; }
    std::unique_ptr<queue::ContentReader> open() const override
    {
        return std::make_unique<Reader>(text_, piece_, is_broken_);
    }

private:
    class Reader : public queue::ContentReader {
    public:
        Reader(std::string_view rest, std::size_t piece, bool is_broken)
            : rest_(rest), piece_(piece), is_broken_(is_broken)
        {
        }
        Task<Result<std::string_view>> next() override { co_return next_now(); }
        Result<std::string_view> next_now() override
        {
            if (is_broken_ && was_read_) return fail(ErrorCode::corrupt, "checksum");
            was_read_ = true;
            const auto piece = rest_.substr(0, piece_);
            rest_.remove_prefix(piece.size());
            return piece;
        }

    private:
        std::string_view rest_;
        std::size_t piece_;
        bool is_broken_;
        bool was_read_ = false;
    };
    std::string text_;
    std::size_t piece_;
    bool is_broken_;
};

struct World {
    World()
    {
        base::use_sink(base::function_sink([this](base::LogLevel, std::string_view tag, std::string line) {
            log.push_back(std::string(tag) + ": " + line);
        }));
        options.handshake.own_name = "mail.golden.test";
        options.limits = {5s, 5s, 5s, 5s, 5s, 5s, 5s, 5s, 5s};
        options.hosts.is_shuffled = false;
        options.host_name = "mail.golden.test";
        options.default_port = "25";
        reuse = std::make_shared<Reuse>(loop.executor());
    }
    ~World()
    {
        reuse->close_all();
        base::use_sink(base::stderr_sink());
    }

    void add_host(const char* name, const char* address)
    {
        dns::Record record{};
        record.address = *net::parse_address(address);
        record.type = record.address.is_v4() ? dns::Type::a : dns::Type::aaaa;
        resolver.add(name, record);
    }
    void add_mx(const char* domain, std::uint16_t preference, const char* host)
    {
        dns::Record record{};
        record.type = dns::Type::mx;
        record.preference = preference;
        record.name = host;
        resolver.add(domain, record);
    }
    std::vector<Outcome>
    deliver(const std::string& next_hop, std::vector<std::string> recipients,
            std::shared_ptr<TextContent> content = std::make_shared<TextContent>("Subject: out\n\n.hello\n"))
    {
        Job job = job_for(next_hop, std::move(recipients), std::move(content));
        Delivery delivery(job, options, logger, resolver, reuse);
        return loop.run(delivery.run());
    }
    static Job job_for(const std::string& next_hop, std::vector<std::string> recipients,
                       std::shared_ptr<TextContent> content)
    {
        auto envelope = std::make_shared<mail::Envelope>();
        envelope->id = mail::QueueId{1795325830000001};
        envelope->sender = "user1@golden.test";
        envelope->size = content->size();
        Job job;
        for (auto& address : recipients) {
            mail::Recipient recipient;
            recipient.address = std::move(address);
            job.recipients.push_back(static_cast<std::uint32_t>(envelope->recipients.size()));
            envelope->recipients.push_back(std::move(recipient));
        }
        job.envelope = std::move(envelope);
        job.content = std::move(content);
        job.next_hop = next_hop;
        return job;
    }
    static std::string show(const std::vector<Outcome>& outcomes)
    {
        std::string text;
        for (const auto& outcome : outcomes) {
            const char* kind = outcome.kind == Outcome::Kind::delivered ? "sent"
                               : outcome.kind == Outcome::Kind::bounced ? "bounced"
                                                                        : "deferred";
            text += std::to_string(outcome.recipient) + " relay=" + outcome.relay +
                    (outcome.connection_uses > 1 ? " conn_use=" + std::to_string(outcome.connection_uses) : "") +
                    " dsn=" + outcome.status.code + " " + kind + " (" + outcome.status.text + ")\n";
        }
        return text;
    }
    static std::string at(const std::string& address, const test::FakeServer& server)
    {
        return "[" + address + "]:" + std::to_string(server.port());
    }

    test::Loop loop;
    dns::FakeResolver resolver;
    Options options;
    Logger logger{"postfix/smtp"};
    std::shared_ptr<Reuse> reuse;
    std::vector<std::string> log;
};

TEST(delivery, sends_postfix_bytes)
{
    World world;
    test::FakeServer server(world.loop.context(), "127.0.0.2", 0, {});
    const auto outcomes = world.deliver(world.at("127.0.0.2", server), {"x@ok.test", "y@ok.test"});
    const std::string port = std::to_string(server.port());
    EXPECT_EQ(World::show(outcomes), "0 relay=127.0.0.2[127.0.0.2]:" + port +
                                         " dsn=2.0.0 sent (250 2.0.0 Ok: queued as FAKE0001)\n"
                                         "1 relay=127.0.0.2[127.0.0.2]:" +
                                         port + " dsn=2.0.0 sent (250 2.0.0 Ok: queued as FAKE0001)\n");
    world.loop.poll();
    EXPECT_EQ(server.heard(),
              "EHLO mail.golden.test\nMAIL FROM:<user1@golden.test> SIZE=21\n"
              "RCPT TO:<x@ok.test> ORCPT=rfc822;x@ok.test\nRCPT TO:<y@ok.test> ORCPT=rfc822;y@ok.test\nDATA\n"
              "Subject: out\n\n..hello\n.\nQUIT\n(closed)\n");
    EXPECT_EQ(outcomes[0].remote_mta, "127.0.0.2");
    EXPECT_EQ(outcomes[0].diagnostic_type, "smtp");
    EXPECT_TRUE(outcomes[0].is_reported_by_peer);
    EXPECT_LE(outcomes[0].connect_started_at, outcomes[0].connected_at);
    EXPECT_LE(outcomes[0].connected_at, outcomes[0].ended_at);
    EXPECT_TRUE(world.log.empty());
}

TEST(delivery, sends_large_content_whole)
{
    World world;
    test::FakeServer server(world.loop.context(), "127.0.0.2", 0, {});
    std::string text = "Subject: big\n\n";
    for (int i = 0; i < 30'000; ++i) text += "line " + std::to_string(i) + " of a long message\n.dot\n";
    const auto outcomes =
        world.deliver(world.at("127.0.0.2", server), {"x@ok.test"}, std::make_shared<TextContent>(text, 4093));
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes[0].kind, Outcome::Kind::delivered);
    world.loop.poll();
    std::string stuffed;
    for (std::string_view line : base::split(text, '\n'))
        stuffed += (line.starts_with('.') ? "." : "") + std::string(line) + "\n";
    stuffed.pop_back();
    EXPECT_NE(server.heard().find("DATA\n" + stuffed + ".\nQUIT\n"), std::string::npos);
}

constexpr const char* offer_with_chunks = "250-mx.remote.test\r\n250-PIPELINING\r\n250 CHUNKING";

std::string big_text()
{
    std::string text = "Subject: big\n\n";
    for (int i = 0; i < 30'000; ++i) text += "line " + std::to_string(i) + " of a long message\n.dot\n";
    return text;
}

// What a far side heard without the BDAT lines; `count` gets how many there were.
std::string without_chunk_lines(const std::string& heard, std::size_t& count)
{
    std::string rest = heard;
    for (std::size_t at = 0; (at = rest.find("BDAT ", at)) != rest.npos; ++count)
        rest.erase(at, rest.find('\n', at) + 1 - at);
    return rest;
}

TEST(delivery, sends_chunks_where_they_are_taken)
{
    World world;
    test::FakeServer server(world.loop.context(), "127.0.0.2", 0, {.replies = {{"EHLO", offer_with_chunks}}});
    (void)world.deliver(world.at("127.0.0.2", server), {"x@ok.test"},
                        std::make_shared<TextContent>("Subject: out\n\n.\n.a\rb\n.c"));
    world.loop.poll();
    EXPECT_EQ(server.heard(),
              "EHLO mail.golden.test\nMAIL FROM:<user1@golden.test>\nRCPT TO:<x@ok.test>\nBDAT 29 LAST\n"
              "Subject: out\n\n.\n.ab\n.c\nQUIT\n(closed)\n");  // (what is heard has no CR)
    for (const std::size_t piece : {std::size_t{4093}, std::size_t{1} << 20}) {
        test::FakeServer large(world.loop.context(), "127.0.0.3", 0, {.replies = {{"EHLO", offer_with_chunks}}});
        const auto outcomes = world.deliver(world.at("127.0.0.3", large), {"x@ok.test"},
                                            std::make_shared<TextContent>(big_text(), piece));
        EXPECT_EQ(outcomes[0].status.text, "250 2.0.0 Ok: queued as FAKE0001");
        world.loop.poll();
        std::size_t count = 0;
        EXPECT_NE(without_chunk_lines(large.heard(), count).find("RCPT TO:<x@ok.test>\n" + big_text() + "QUIT\n"),
                  std::string::npos);
        EXPECT_GT(count, 5u);
        EXPECT_LT(count, 20u);
    }
}

TEST(delivery, stops_at_a_chunk_that_is_refused)
{
    World world;
    test::FakeServer server(world.loop.context(), "127.0.0.2", 0,
                            {.replies = {{"EHLO", offer_with_chunks}, {"BDAT ", "552 5.3.4 too big"}}});
    const auto outcomes =
        world.deliver(world.at("127.0.0.2", server), {"x@ok.test"}, std::make_shared<TextContent>(big_text(), 4093));
    EXPECT_EQ(outcomes[0].kind, Outcome::Kind::bounced);
    EXPECT_EQ(outcomes[0].status.text, "host 127.0.0.2[127.0.0.2] said: 552 5.3.4 too big (in reply to DATA command)");
    world.loop.poll();
    EXPECT_EQ(server.heard().find(" LAST"), std::string::npos);
    EXPECT_TRUE(server.heard().ends_with("RSET\nQUIT\n(closed)\n"))
        << server.heard().substr(server.heard().size() - 100);
}

TEST(delivery, gives_no_chunks_to_who_does_not_know_them)
{
    World world;
    test::FakeServer server(
        world.loop.context(), "127.0.0.2", 0,
        {.replies = {{"EHLO", offer_with_chunks}, {"BDAT ", "502 5.5.2 what?"}, {"LAST", "502 5.5.2 what?"}}});
    auto outcomes = world.deliver(world.at("127.0.0.2", server), {"x@ok.test"});
    EXPECT_EQ(outcomes[0].kind, Outcome::Kind::deferred);
    EXPECT_EQ(outcomes[0].status.text, "host 127.0.0.2[127.0.0.2] said: 502 5.5.2 what? (in reply to DATA command)");
    ASSERT_EQ(world.log.size(), 1u);
    EXPECT_NE(world.log[0].find("offers CHUNKING and does not know BDAT"), std::string::npos);
    outcomes = world.deliver(world.at("127.0.0.2", server), {"x@ok.test"});
    EXPECT_EQ(outcomes[0].kind, Outcome::Kind::delivered);
    world.loop.poll();
    EXPECT_NE(server.heard().find("DATA\nSubject: out\n\n..hello\n.\n"), std::string::npos);
}

TEST(delivery, never_ends_half_a_chunked_message)
{
    World world;
    test::FakeServer server(world.loop.context(), "127.0.0.2", 0, {.replies = {{"EHLO", offer_with_chunks}}});
    const auto content = std::make_shared<TextContent>(std::string(1'000'000, 'x'), 300'000, true);
    const auto outcomes = world.deliver(world.at("127.0.0.2", server), {"x@ok.test"}, content);
    EXPECT_EQ(outcomes[0].kind, Outcome::Kind::deferred);
    EXPECT_EQ(outcomes[0].status.text, "unreadable mail queue entry");
    world.loop.poll();
    EXPECT_EQ(server.heard().find(" LAST"), std::string::npos);
    EXPECT_EQ(server.heard().find("QUIT"), std::string::npos);
}

TEST(delivery, never_ends_half_a_message)
{
    World world;
    test::FakeServer server(world.loop.context(), "127.0.0.2", 0, {});
    const auto content = std::make_shared<TextContent>(std::string(1'000'000, 'x'), 300'000, true);
    const auto outcomes = world.deliver(world.at("127.0.0.2", server), {"x@ok.test"}, content);
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes[0].kind, Outcome::Kind::deferred);
    EXPECT_EQ(outcomes[0].status.text, "unreadable mail queue entry");
    world.loop.poll();
    EXPECT_EQ(server.heard().find("\n.\n"), std::string::npos);
    EXPECT_EQ(server.heard().find("QUIT"), std::string::npos);
}

TEST(delivery, tells_fates_in_postfix_words)
{
    struct Case {
        const char* name;
        test::Persona persona;
        std::string want;      // PEER and RELAY stand for the server
        std::string heard_end;
        bool is_trouble;
    };
    std::string endless;
    for (int i = 0; i < 2000; ++i) endless += "so what\r\n";
    const Case cases[] = {
        {"greeting 5xx",
         {.greeting = "554 mx.greet5.test No SMTP service here"},
         "relay=RELAY dsn=4.0.0 deferred (host PEER refused to talk to me: 554 mx.greet5.test No SMTP service here)",
         "QUIT\n(closed)\n",
         true},
        {"greeting 421",
         {.greeting = "421 4.3.2 try later"},
         "relay=RELAY dsn=4.3.2 deferred (host PEER refused to talk to me: 421 4.3.2 try later)",
         "(closed)\n",
         true},
        {"no greeting",
         {.greeting = "(drop)"},
         "relay=RELAY dsn=4.4.2 deferred (lost connection with PEER while receiving the initial server greeting)",
         "",
         true},
        {"silence",
         {.greeting = "(hang)"},
         "relay=RELAY dsn=4.4.2 deferred (conversation with PEER timed out while receiving the initial server greeting)",
         "(closed)\n",
         true},
        {"silence after garbage",
         {.greeting = "SSH-2.0-OpenSSH_9.2"},
         "relay=RELAY dsn=4.4.2 deferred (conversation with PEER timed out while receiving the initial server greeting)",
         "(closed)\n",
         true},
        {"endless garbage",
         {.greeting = endless},
         "relay=RELAY dsn=4.5.0 deferred (protocol error: bad reply from PEER while receiving the initial server greeting)",
         "(closed)\n",
         true},
        {"no EHLO",
         {.replies = {{"EHLO", "502 5.5.1 Command not implemented"}}},
         "relay=RELAY dsn=2.0.0 sent (250 2.0.0 Ok: queued as FAKE0001)",
         "HELO mail.golden.test\nMAIL FROM:<user1@golden.test>\nRCPT TO:<x@ok.test>\nDATA\nSubject: out\n\n..hello\n.\nQUIT\n(closed)\n",
         false},
        {"sender refused",
         {.replies = {{"MAIL", "550 5.1.8 Sender rejected"}}},
         "relay=RELAY dsn=5.1.8 bounced (host PEER said: 550 5.1.8 Sender rejected (in reply to MAIL FROM command))",
         "DATA\n.\nQUIT\n(closed)\n",
         false},
        {"recipient refused",
         {.replies = {{"RCPT", "550 no such user"}, {"DATA", "554 5.5.1 No valid recipients"}}},
         "relay=RELAY dsn=5.0.0 bounced (host PEER said: 550 no such user (in reply to RCPT TO command))",
         "DATA\nRSET\nQUIT\n(closed)\n",
         false},
        {"recipient put off",
         {.replies = {{"RCPT", "450 4.2.1 Mailbox temporarily unavailable"},
                      {"DATA", "554 5.5.1 No valid recipients"}}},
         "relay=RELAY dsn=4.2.1 deferred (host PEER said: 450 4.2.1 Mailbox temporarily unavailable (in reply to RCPT TO command))",
         "DATA\nRSET\nQUIT\n(closed)\n",
         false},
        {"dropped at RCPT",
         {.replies = {{"RCPT", "(drop)"}}},
         "relay=RELAY dsn=4.4.2 deferred (lost connection with PEER while sending RCPT TO)",
         "(dropped)\n",
         true},
        {"dropped at the end",
         {.replies = {{".", "(drop)"}}},
         "relay=RELAY dsn=4.4.2 deferred (lost connection with PEER while sending end of data -- message may be sent more than once)",
         ".\n(dropped)\n",
         true},
        {"silence at the end",
         {.replies = {{".", "(hang)"}}},
         "relay=RELAY dsn=4.4.2 deferred (conversation with PEER timed out while sending end of data -- message may be sent more than once)",
         ".\n(closed)\n",
         true},
    };
    for (const Case& c : cases) {
        World world;
        if (std::string_view(c.name).starts_with("silence"))
            world.options.limits.hello = world.options.limits.data_done = 1s;
        test::FakeServer server(world.loop.context(), "127.0.0.2", 0, c.persona);
        const auto outcomes = world.deliver(world.at("127.0.0.2", server), {"x@ok.test"});
        std::string want = "0 " + c.want + "\n";
        const std::string peer = "127.0.0.2[127.0.0.2]";
        for (const auto& [word, text] : {std::pair<std::string, std::string>{"PEER", peer},
                                         {"RELAY", peer + ":" + std::to_string(server.port())}}) {
            if (const auto where = want.find(word); where != want.npos) want.replace(where, word.size(), text);
        }
        EXPECT_EQ(World::show(outcomes), want) << c.name;
        world.loop.poll();
        const std::string heard = server.heard();
        EXPECT_TRUE(heard.ends_with(c.heard_end)) << c.name << ": " << heard;
        EXPECT_EQ(outcomes.at(0).is_destination_trouble, c.is_trouble) << c.name;
        EXPECT_EQ(outcomes.at(0).remote_mta.empty(), outcomes.at(0).diagnostic_text.empty()) << c.name;
    }
}

TEST(delivery, says_which_connection_was_refused)
{
    World world;
    std::uint16_t port = 0;
    {
        test::FakeServer gone(world.loop.context(), "127.0.0.2", 0, {});
        port = gone.port();
    }
    const std::string where = "127.0.0.2[127.0.0.2]:" + std::to_string(port);
    const auto outcomes = world.deliver("[127.0.0.2]:" + std::to_string(port), {"x@ok.test", "y@ok.test"});
    EXPECT_EQ(World::show(outcomes), "0 relay=none dsn=4.4.1 deferred (connect to " + where +
                                         ": Connection refused)\n"
                                         "1 relay=none dsn=4.4.1 deferred (connect to " +
                                         where + ": Connection refused)\n");
    EXPECT_TRUE(outcomes[0].is_destination_trouble);
    EXPECT_EQ(outcomes[0].remote_mta, "");
    ASSERT_EQ(world.log.size(), 1u);
    EXPECT_EQ(world.log[0], "postfix/smtp: connect to " + where + ": Connection refused");
}

TEST(delivery, goes_on_to_the_next_host)
{
    World world;
    test::FakeServer second(world.loop.context(), "127.0.0.3", 0, {});
    const std::string port = std::to_string(second.port());
    test::Persona busy;
    busy.replies = {{"RCPT TO:<tmp", "450 4.2.0 greylisted"}, {"RCPT TO:<perm", "550 5.1.1 no"}};
    test::FakeServer first(world.loop.context(), "127.0.0.2", second.port(), busy);
    world.add_mx("ok.test", 10, "down.test");
    world.add_mx("ok.test", 20, "first.test");
    world.add_mx("ok.test", 30, "second.test");
    world.add_host("down.test", "127.0.0.4");
    world.add_host("first.test", "127.0.0.2");
    world.add_host("second.test", "127.0.0.3");
    const auto outcomes =
        world.deliver("ok.test:" + port, {"ok@ok.test", "tmp1@ok.test", "tmp2@ok.test", "perm@ok.test"});
    EXPECT_EQ(World::show(outcomes),
              "0 relay=first.test[127.0.0.2]:" + port +
                  " dsn=2.0.0 sent (250 2.0.0 Ok: queued as FAKE0001)\n"
                  "3 relay=first.test[127.0.0.2]:" +
                  port +
                  " dsn=5.1.1 bounced (host first.test[127.0.0.2] said: 550 5.1.1 no (in reply to RCPT TO command))\n"
                  "1 relay=second.test[127.0.0.3]:" +
                  port +
                  " dsn=2.0.0 sent (250 2.0.0 Ok: queued as FAKE0001)\n"
                  "2 relay=second.test[127.0.0.3]:" +
                  port + " dsn=2.0.0 sent (250 2.0.0 Ok: queued as FAKE0001)\n");
    ASSERT_EQ(world.log.size(), 2u);
    EXPECT_EQ(world.log[0], "postfix/smtp: connect to down.test[127.0.0.4]:" + port + ": Connection refused");
    EXPECT_TRUE(
        world.log[1].ends_with(": host first.test[127.0.0.2] said: 450 4.2.0 greylisted (in reply to RCPT TO command)"))
        << world.log[1];
}

TEST(delivery, keeps_to_its_session_limit)
{
    World world;
    test::Persona busy;
    busy.replies = {{"MAIL", "450 4.3.2 busy"}};
    test::FakeServer one(world.loop.context(), "127.0.0.2", 0, busy);
    test::FakeServer two(world.loop.context(), "127.0.0.3", one.port(), busy);
    test::FakeServer three(world.loop.context(), "127.0.0.4", one.port(), busy);
    for (const char* address : {"127.0.0.2", "127.0.0.3", "127.0.0.4"}) world.add_host("many.test", address);
    const auto outcomes = world.deliver("[many.test]:" + std::to_string(one.port()), {"x@ok.test"});
    EXPECT_EQ(
        World::show(outcomes),
        "0 relay=many.test[127.0.0.3]:" + std::to_string(one.port()) +
            " dsn=4.3.2 deferred (host many.test[127.0.0.3] said: 450 4.3.2 busy (in reply to MAIL FROM command))\n");
    EXPECT_EQ(three.connections(), 0);
}

TEST(delivery, knows_why_there_is_no_host)
{
    World world;
    world.add_mx("nullmx.test", 0, "");
    world.add_mx("mxnohost.test", 10, "nohost.mxnohost.test");
    world.add_mx("loop.test", 10, "self.test");
    world.add_host("self.test", "127.0.0.1");
    world.resolver.fail("servfail.test", dns::Type::mx);
    world.options.is_own_address = [](const net::Address& a) { return net::format_address(a) == "127.0.0.1"; };
    const struct {
        const char* next_hop;
        const char* want;
        bool is_trouble;
    } cases[] = {
        {"nullmx.test", "0 relay=none dsn=5.1.0 bounced (Domain nullmx.test does not accept mail (nullMX))\n", false},
        {"nosuch.test", "0 relay=none dsn=5.4.4 bounced (Host or domain name not found. Name service error for name=nosuch.test type=AAAA: Host not found)\n", false},
        {"[nosuch.test]:25", "0 relay=none dsn=5.4.4 bounced (Host or domain name not found. Name service error for name=nosuch.test type=AAAA: Host not found)\n", false},
        {"servfail.test", "0 relay=none dsn=4.4.3 deferred (Host or domain name not found. Name service error for name=servfail.test type=MX: Host not found, try again)\n", true},
        {"loop.test", "0 relay=none dsn=5.4.6 bounced (mail for loop.test loops back to myself)\n", false},
        {"mxnohost.test", "0 relay=none dsn=5.4.4 bounced (Host or domain name not found. Name service error for name=nohost.mxnohost.test type=AAAA: Host not found)\n", false},
        {"host.test:nosuchservice", "0 relay=none dsn=4.3.5 deferred (unknown service: nosuchservice/tcp)\n", false},
        {"host:", "0 relay=none dsn=4.3.5 deferred (server configuration error)\n", false},
        {"", "0 relay=none dsn=4.3.5 deferred (server configuration error)\n", false},
    };
    for (const auto& c : cases) {
        const auto outcomes = world.deliver(c.next_hop, {"x@y.test"});
        EXPECT_EQ(World::show(outcomes), c.want) << c.next_hop;
        EXPECT_EQ(outcomes.at(0).is_destination_trouble, c.is_trouble) << c.next_hop;
    }
    EXPECT_EQ(
        std::ranges::count(world.log,
                           "postfix/smtp: warning: no MX host for mxnohost.test has a valid address record") +
            std::ranges::count(world.log, "postfix/smtp: no MX host for mxnohost.test has a valid address record"),
        1);
}

TEST(delivery, keeps_mail_while_a_relay_host_of_ours_is_not_there)
{
    World world;
    world.add_mx("nullmx.test", 0, "");
    world.add_host("self.test", "127.0.0.1");
    world.options.is_own_address = [](const net::Address& a) { return net::format_address(a) == "127.0.0.1"; };
    const struct {
        const char *relay_host, *fallback, *next_hop, *want;
        int relay_warnings, fallback_warnings;
    } cases[] = {
        {"[nosuch.test]:587", "", "[nosuch.test]:587", "0 relay=none dsn=4.3.5 deferred (Host or domain name not found. Name service error for name=nosuch.test type=AAAA: Host not found)\n", 1, 0},
        {"nosuch.test", "", "nosuch.test", "0 relay=none dsn=4.3.5 deferred (Host or domain name not found. Name service error for name=nosuch.test type=AAAA: Host not found)\n", 1, 0},
        {"nullmx.test", "", "nullmx.test", "0 relay=none dsn=4.3.5 deferred (Domain nullmx.test does not accept mail (nullMX))\n", 1, 0},
        {"[self.test]", "", "[self.test]", "0 relay=none dsn=4.3.5 deferred (mail for self.test loops back to myself)\n", 1, 0},
        {"[nosuch.test]:587", "", "other.test", "0 relay=none dsn=5.4.4 bounced (Host or domain name not found. Name service error for name=other.test type=AAAA: Host not found)\n", 0, 0},
        {"", "[nosuch.test]", "other.test", "0 relay=none dsn=4.3.5 deferred (Host or domain name not found. Name service error for name=nosuch.test type=AAAA: Host not found)\n", 0, 1},
    };
    for (const auto& c : cases) {
        world.log.clear();
        world.options.relay_host = c.relay_host;
        world.options.fallback_relays.clear();
        if (*c.fallback) world.options.fallback_relays = {c.fallback};
        EXPECT_EQ(World::show(world.deliver(c.next_hop, {"x@y.test"})), c.want) << c.next_hop;
        const auto said = [&](std::string_view text) {
            return std::ranges::count_if(world.log, [&](const std::string& line) { return line.ends_with(text); });
        };
        EXPECT_EQ(said(": relayhost configuration problem"), c.relay_warnings) << c.next_hop;
        EXPECT_EQ(said("smtp_fallback_relay configuration problem"), c.fallback_warnings) << c.next_hop;
    }
}

TEST(delivery, falls_back)
{
    World world;
    test::FakeServer server(world.loop.context(), "127.0.0.2", 0, {});
    world.options.fallback_relays = {world.at("127.0.0.2", server)};
    const auto outcomes = world.deliver("nosuch.test", {"x@y.test"});
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes[0].kind, Outcome::Kind::delivered) << outcomes[0].status.text;
}

TEST(delivery, uses_a_connection_again_when_the_destination_is_busy)
{
    World world;
    test::FakeServer server(world.loop.context(), "127.0.0.2", 0, {});
    const std::string where = world.at("127.0.0.2", server);
    (void)world.deliver(where, {"a@ok.test"});       // alone: QUIT
    (void)world.deliver(where, {"b@ok.test"});       // close behind: kept
    const auto third = world.deliver(where, {"c@ok.test"});
    EXPECT_EQ(third.at(0).connection_uses, 2);
    EXPECT_EQ(server.connections(), 2);
    EXPECT_NE(server.heard().find("\n.\nRSET\nMAIL FROM:<user1@golden.test> SIZE=21\nRCPT TO:<c@ok.test>"),
              std::string::npos)
        << server.heard();
    world.reuse->close_all();
    world.loop.poll();
    EXPECT_TRUE(server.heard().ends_with("QUIT\n(closed)\n"));
}

TEST(delivery, does_not_notice_that_an_idle_connection_was_closed)
{
    World world;
    test::Persona impatient;
    impatient.replies = {{"RSET", "(drop)"}};
    test::FakeServer server(world.loop.context(), "127.0.0.2", 0, impatient);
    const std::string where = world.at("127.0.0.2", server);
    for (const char* to : {"a@ok.test", "b@ok.test", "c@ok.test"}) {
        const auto outcomes = world.deliver(where, {to});
        ASSERT_EQ(outcomes.size(), 1u);
        EXPECT_EQ(outcomes[0].kind, Outcome::Kind::delivered) << outcomes[0].status.text;
        EXPECT_EQ(outcomes[0].connection_uses, 1);
    }
    EXPECT_EQ(server.connections(), 3);
    EXPECT_TRUE(world.log.empty());
}

TEST(delivery, respects_the_limits_of_reuse)
{
    World world;
    test::FakeServer server(world.loop.context(), "127.0.0.2", 0, {});
    const std::string where = world.at("127.0.0.2", server);
    world.options.reuse_count_limit = 2;
    for (int i = 0; i < 5; ++i) (void)world.deliver(where, {"a@ok.test"});
    EXPECT_EQ(server.connections(), 3);   // 1, 2+3, 4+5
    world.options.reuses_on_demand = false;
    (void)world.deliver(where, {"a@ok.test"});
    (void)world.deliver(where, {"a@ok.test"});
    EXPECT_EQ(server.connections(), 5);
}

TEST(delivery, speaks_lmtp_over_a_unix_socket)
{
    World world;
    world.options.is_lmtp = world.options.handshake.is_lmtp = true;
    world.options.hosts.uses_mx = false;
    const std::string path = testing::TempDir() + "lmtp." + std::to_string(getpid());
    auto fd = net::listen_unix(path, 4, 0600);
    ASSERT_TRUE(fd) << fd.error().text();
    net::Cores cores(1);
    std::string heard;
    test::Persona persona;
    persona.replies = {{".", "250 2.0.0 saved a\r\n452 4.2.2 full"}};
    net::UnixListener listener(cores.at(0), std::move(*fd), [&](net::UnixSocket socket) {
        asio::co_spawn(cores.at(0).context(), [](net::StreamPtr stream, test::Persona p, std::string& h) -> Task<void> {
            co_await test::play(*stream, std::move(p), h);
        }(net::make_stream(std::move(socket)), persona, heard), asio::detached);
    });
    cores.start();
    const auto outcomes = world.deliver("unix:" + path, {"a@b.test", "c@b.test"});
    cores.stop();
    unlink(path.c_str());
    const std::string peer = "mail.golden.test[" + path + "]";
    EXPECT_EQ(World::show(outcomes), "0 relay=" + peer +
                                         " dsn=2.0.0 sent (250 2.0.0 saved a)\n"
                                         "1 relay=" +
                                         peer + " dsn=4.2.2 deferred (host " + peer +
                                         " said: 452 4.2.2 full (in reply to end of DATA command))\n");
    EXPECT_TRUE(heard.starts_with("LHLO mail.golden.test\nMAIL FROM:<user1@golden.test>\nRCPT TO:<a@b.test>\n"))
        << heard;
    const auto missing = world.deliver("unix:" + path, {"a@b.test"});
    EXPECT_EQ(World::show(missing),
              "0 relay=none dsn=4.4.1 deferred (connect to " + peer + ": No such file or directory)\n");
}

TEST(parse_destinations, knows_the_forms_of_next_hops)
{
    Options smtp;
    Options lmtp;
    lmtp.is_lmtp = true;
    lmtp.hosts.uses_mx = false;
    const struct {
        const Options& options;
        const char* text;
        std::string want;
    } cases[] = {
        {smtp, "a.test", "a.test||mx "},
        {smtp, "a.test:587", "a.test|587|mx "},
        {smtp, "[a.test]", "a.test|| "},
        {smtp, "[a.test]:submission", "a.test|submission| "},
        {smtp, "[2001:db8::1]:25", "2001:db8::1|25| "},
        {smtp, "inet:a.test:25", "a.test|25|mx "},
        {smtp, "[a.test], b.test", "a.test|| b.test||mx "},
        {smtp, "127.0.0.25", "127.0.0.25||mx "},
        {smtp, "a.test:", ""},
        {smtp, "[a.test", ""},
        {lmtp, "unix:private/dovecot-lmtp", "private/dovecot-lmtp|unix "},
        {lmtp, "unix:", ""},
        {lmtp, "inet:127.0.0.1:24", "127.0.0.1|24| "},
        {lmtp, "a.test", "a.test|| "},
    };
    for (const auto& c : cases) {
        std::string problem;
        std::string got;
        for (const auto& d : parse_destinations(c.text, c.options, problem)) {
            got += d.host + (d.is_unix ? "|unix " : "|" + d.port + (d.uses_mx ? "|mx " : "| "));
        }
        EXPECT_EQ(got, c.want) << c.text;
        EXPECT_EQ(problem.empty(), !c.want.empty()) << c.text;
    }
}

}  // namespace
}  // namespace ekiden::deliver::smtp
