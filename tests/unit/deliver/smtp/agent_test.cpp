// The agent as the scheduler sees it, made from a configuration, on real cores.
#include "deliver/smtp/agent.hpp"

#include "deliver/smtp/options.hpp"
#include "net/cores.hpp"
#include "queue/text_content.hpp"
#include "support/fake_server.hpp"
#include "unit/config/folder.hpp"

#include <gtest/gtest.h>

#include <future>

namespace ekiden::deliver {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view basis =
    "compatibility_level = 3.6\nmyhostname = mail.golden.test\ninet_interfaces = loopback-only\ninet_protocols = ipv4\n";

TEST(same_for_all, gives_every_recipient_the_fate)
{
    Job job;
    job.recipients = {2, 5};
    Outcome outcome;
    outcome.status = {"4.3.0", "later"};
    const auto outcomes = same_for_all(job, outcome);
    ASSERT_EQ(outcomes.size(), 2u);
    EXPECT_EQ(outcomes[0].recipient, 2u);
    EXPECT_EQ(outcomes[1].recipient, 5u);
    EXPECT_EQ(outcomes[1].status.text, "later");
}

config::ServiceSpec service(const std::string& name, const std::string& command)
{
    config::ServiceSpec spec;
    spec.name = name;
    spec.type = "unix";
    spec.command = command;
    return spec;
}

TEST(smtp_options, come_from_parameters_of_the_program)
{
    config::test::Folder folder(
        std::string(basis) +
        "smtp_helo_timeout = 2s\nlmtp_lhlo_timeout = 7s\nsmtp_bind_address = 127.0.0.9\n"
        "known_tcp_ports = smtp=2525, lmtp=2524\nsmtp_host_lookup = dns, native\n"
        "smtp_discard_ehlo_keywords = dsn, silent-discard\nsmtp_fallback_relay = [a.test], b.test\n");
    const auto settings = config::Settings::load(folder.options());
    const auto smtp = smtp::Options::from(*settings, service("smtp", "smtp"));
    EXPECT_FALSE(smtp.is_lmtp);
    EXPECT_EQ(smtp.limits.of(smtp::Step::greeting), 2s);
    EXPECT_EQ(smtp.limits.of(smtp::Step::end_of_data), 600s);
    EXPECT_EQ(smtp.limits.connect, 30s);
    EXPECT_EQ(smtp.log_tag, "postfix/smtp");
    EXPECT_EQ(smtp.handshake.own_name, "mail.golden.test");
    EXPECT_EQ(smtp.handshake.ignored, ekiden::smtp::ext_dsn);
    EXPECT_TRUE(smtp.hosts.uses_mx);
    EXPECT_EQ(smtp.hosts.address_source, dns::Source::dns_then_hosts);
    EXPECT_TRUE(smtp.hosts.families.ipv4);
    EXPECT_FALSE(smtp.hosts.families.ipv6);
    EXPECT_EQ(smtp.fallback_relays.size(), 2u);
    ASSERT_TRUE(smtp.bind_v4);
    EXPECT_EQ(net::format_address(*smtp.bind_v4), "127.0.0.9");
    EXPECT_TRUE(smtp.is_own_address(*net::parse_address("127.0.0.1")));
    EXPECT_FALSE(smtp.is_own_address(*net::parse_address("192.0.2.1")));
    EXPECT_TRUE(smtp.skips_quit_reply);

    const auto lmtp = smtp::Options::from(*settings, service("lmtp", "lmtp"));
    EXPECT_TRUE(lmtp.is_lmtp);
    EXPECT_TRUE(lmtp.handshake.is_lmtp);
    EXPECT_EQ(lmtp.limits.of(smtp::Step::lhlo), 7s);
    EXPECT_EQ(lmtp.limits.connect, 0s);
    EXPECT_FALSE(lmtp.hosts.uses_mx);
    EXPECT_EQ(lmtp.hosts.address_source, dns::Source::dns);
    EXPECT_EQ(lmtp.default_port, "24");
    EXPECT_FALSE(lmtp.skips_quit_reply);
}

TEST(smtp_options, refuse_nonsense)
{
    for (const char* line : {"smtp_bind_address = nowhere\n", "smtp_address_preference = ipv5\n"}) {
        config::test::Folder folder(std::string(basis) + line);
        EXPECT_THROW(smtp::Options::from(*config::Settings::load(folder.options()), service("smtp", "smtp")),
                     config::ConfigError)
            << line;
    }
}

Task<int> deliver_some(Agent& agent, std::string next_hop, int count)
{
    auto envelope = std::make_shared<mail::Envelope>();
    envelope->id = mail::QueueId{1795325830000001};
    envelope->sender = "a@golden.test";
    envelope->recipients.resize(1);
    envelope->recipients[0].address = "x@ok.test";
    int delivered = 0;
    for (int i = 0; i < count; ++i) {
        Job job;
        job.envelope = envelope;
        job.content = queue::text_content("Subject: x\n\nhello\n");
        job.next_hop = next_hop;
        job.recipients = {0};
        for (const Outcome& outcome : co_await agent.deliver(std::move(job))) {
            if (outcome.kind == Outcome::Kind::delivered) ++delivered;
        }
    }
    co_return delivered;
}

TEST(smtp_agent, delivers_from_every_core_and_closes_what_is_idle)
{
    config::test::Folder folder{basis};
    const auto settings = config::Settings::load(folder.options());
    dns::FakeResolver resolver;
    net::Cores cores(3);
    test::FakeServer server(cores.at(2).context(), "127.0.0.2", 0, {});
    {
        AgentPtr agent = make_smtp_agent(settings, service("smtp", "smtp"), resolver);
        EXPECT_EQ(agent->logger().tag(), "postfix/smtp");
        cores.start();
        const std::string next_hop = "[127.0.0.2]:" + std::to_string(server.port());
        std::vector<std::future<int>> runs;
        for (int i = 0; i < 8; ++i) {
            runs.push_back(
                asio::co_spawn(cores.at(i % 2).context(), deliver_some(*agent, next_hop, 50), asio::use_future));
        }
        int delivered = 0;
        for (auto& run : runs) delivered += run.get();
        EXPECT_EQ(delivered, 400);
        agent->close_idle();
    }
    cores.stop();
    EXPECT_LT(server.connections(), 60);   // mostly used again
    EXPECT_GE(server.connections(), 2);
}

}  // namespace
}  // namespace ekiden::deliver
