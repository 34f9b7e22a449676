#include "verify/verifier.hpp"

#include "base/log_sinks.hpp"
#include "support/memory_store.hpp"
#include "verify/journal.hpp"
#include "verify/probe_route.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ekiden::verify {
namespace {

using namespace std::chrono_literals;
using State = Verifier::Known::State;

class VerifierTest : public testing::Test {
protected:
    VerifierTest()
    {
        base::use_sink(base::function_sink([this](base::LogLevel, std::string_view tag, std::string line) {
            log.push_back(std::string(tag) + ": " + line);
        }));
        char pattern[] = "/tmp/ekiden_verifier_XXXXXX";
        directory = mkdtemp(pattern);
    }
    ~VerifierTest() override
    {
        verifier.reset();
        base::use_sink(base::stderr_sink());
        std::filesystem::remove_all(directory);
    }
    void start(std::vector<std::pair<std::string, std::string>> more = {})
    {
        config::LoadOptions options;
        options.read_main_cf = options.read_master_cf = options.is_strict = false;
        options.overrides = {{"compatibility_level", "3.6"},   {"myhostname", "mail.golden.test"},
                             {"mydomain", "golden.test"},      {"mydestination", "$myhostname, golden.test"},
                             {"inet_interfaces", "127.0.0.1"}, {"address_verify_map", "btree:" + directory + "/cache"}};
        options.overrides.insert(options.overrides.end(), more.begin(), more.end());
        settings = config::Settings::load(options);
        intake = rewrite::Intake::make(settings, rewrite::Resolver::make(settings), store);
        verifier = std::make_shared<Verifier>(loop.get_executor(), pool);
        verifier->use(settings, intake);
    }
    void run()
    {
        loop.restart();
        loop.run();
    }
    void stop()
    {
        asio::co_spawn(loop, verifier->stop(), asio::detached);
        run();
    }
    std::string logged()
    {
        base::flush_log();
        std::string all;
        for (const auto& line : log) all += line + "\n";
        return all;
    }

    test::MemoryStore store;
    net::BlockingPool pool{2};
    asio::io_context loop{1};
    std::string directory;
    std::vector<std::string> log;
    config::SettingsPtr settings;
    std::shared_ptr<const rewrite::Intake> intake;
    std::shared_ptr<Verifier> verifier;
};

TEST_F(VerifierTest, one_probe_for_all_who_ask)
{
    start();
    const auto first = verifier->ask("user@far.test");
    EXPECT_EQ(first.state, State::pending);
    EXPECT_EQ(first.text, "Address verification in progress");
    EXPECT_EQ(verifier->ask("user@far.test").state, State::pending);
    run();
    ASSERT_EQ(store.messages.size(), 1u);
    const mail::Envelope& probe = *store.messages[0].envelope;
    EXPECT_EQ(probe.purpose, mail::Purpose::probe);
    EXPECT_EQ(probe.sender, "double-bounce@mail.golden.test");
    ASSERT_EQ(probe.recipients.size(), 1u);
    EXPECT_EQ(probe.recipients[0].address, "user@far.test");
    EXPECT_NE(store.messages[0].text().find("\nFrom: double-bounce@mail.golden.test\n"), std::string::npos)
        << store.messages[0].text();

    verifier->learn("user@far.test", Standing::undeliverable, "no such user");
    const auto known = verifier->ask("user@far.test");
    EXPECT_EQ(known.state, State::undeliverable);
    EXPECT_EQ(known.text, "no such user");
    run();
    EXPECT_EQ(store.messages.size(), 1u);
    stop();
}

TEST_F(VerifierTest, answers_outlive_a_restart)
{
    start();
    verifier->learn("good@far.test", Standing::deliverable, "250 ok");
    verifier->learn("bad@far.test", Standing::undeliverable, "550 no");
    stop();
    start();
    EXPECT_EQ(verifier->ask("good@far.test").state, State::deliverable);
    EXPECT_EQ(verifier->ask("bad@far.test").text, "550 no");
    run();
    EXPECT_TRUE(store.messages.empty());
    stop();
    EXPECT_NE(
        logged().find("postfix/verify: cache btree:" + directory + "/cache full cleanup: retained=2 dropped=0 entries"),
        std::string::npos)
        << logged();
}

TEST_F(VerifierTest, without_a_file_it_remembers_in_memory)
{
    start({{"address_verify_map", ""}});
    verifier->learn("good@far.test", Standing::deliverable, "250 ok");
    EXPECT_EQ(verifier->ask("good@far.test").state, State::deliverable);
    EXPECT_NE(logged().find("postfix/verify: cache internal:verify full cleanup: retained=1 dropped=0 entries"),
              std::string::npos)
        << logged();
    stop();
    EXPECT_FALSE(std::filesystem::exists(directory + "/cache"));
}

TEST_F(VerifierTest, a_file_that_cannot_be_written_is_told_once_and_costs_nothing_else)
{
    std::filesystem::create_directory(directory + "/cache");
    start();
    for (int i = 0; i < 5; ++i) verifier->learn("u" + std::to_string(i) + "@far.test", Standing::deliverable, "ok");
    EXPECT_EQ(verifier->ask("u3@far.test").state, State::deliverable);
    run();
    stop();
    const std::string lines = logged();
    const auto at = lines.find("answers are kept in memory until it can be written");
    ASSERT_NE(at, std::string::npos) << lines;
    EXPECT_EQ(lines.find("answers are kept in memory until", at + 1), std::string::npos);
}

TEST_F(VerifierTest, too_many_questions_are_put_off)
{
    start({{"address_verify_pending_request_limit", "3"}});
    for (int i = 0; i < 3; ++i) EXPECT_EQ(verifier->ask("u" + std::to_string(i) + "@far.test").state, State::pending);
    EXPECT_EQ(verifier->ask("u3@far.test").state, State::deferred);
    EXPECT_EQ(verifier->ask(std::string(2000, 'x') + "@far.test").state, State::deferred);
    run();
    EXPECT_EQ(store.messages.size(), 3u);
    stop();
}

TEST_F(VerifierTest, a_probe_that_cannot_be_queued_is_an_answer)
{
    start();
    store.commit_error = Error(ErrorCode::no_space, "full");
    EXPECT_EQ(verifier->ask("user@far.test").state, State::pending);
    run();
    EXPECT_EQ(verifier->ask("user@far.test").state, State::deferred);
    stop();
}

TEST_F(VerifierTest, an_alias_for_several_is_deliverable_at_once)
{
    start({{"virtual_alias_maps",
            "inline:{{both@golden.test=a@golden.test,b@golden.test} {one@golden.test=a@golden.test}}"},
           {"enable_original_recipient", "no"}});
    (void)verifier->ask("both@golden.test");
    (void)verifier->ask("one@golden.test");
    run();
    EXPECT_EQ(verifier->ask("both@golden.test").state, State::deliverable);
    ASSERT_EQ(store.messages.size(), 1u);
    EXPECT_EQ(store.messages[0].envelope->recipients[0].address, "a@golden.test");
    EXPECT_EQ(store.messages[0].envelope->recipients[0].original, "one@golden.test")
        << "the answer belongs to the address that was asked about";
    EXPECT_NE(
        logged().find(
            "to=<both@golden.test>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=deliverable (aliased to multiple recipients)"),
        std::string::npos)
        << logged();
    stop();
}

TEST_F(VerifierTest, copies_and_filters_are_not_for_probes)
{
    start({{"always_bcc", "archive@golden.test"}, {"sender_bcc_maps", "static:archive@golden.test"}});
    (void)verifier->ask("user@far.test");
    run();
    ASSERT_EQ(store.messages.size(), 1u);
    EXPECT_EQ(store.messages[0].envelope->recipients.size(), 1u);
    stop();
}

TEST_F(VerifierTest, a_table_elsewhere_is_refused)
{
    start();
    EXPECT_THROW(Verifier::check(*settings->with({{"address_verify_map", "memcache:/etc/x.cf"}})), config::ConfigError);
    EXPECT_NO_THROW(Verifier::check(*settings));
    stop();
}

TEST_F(VerifierTest, probes_go_their_own_way_where_one_is_given)
{
    start();
    const auto usual = rewrite::Resolver::make(settings);
    EXPECT_EQ(probe_resolver(settings, usual), usual);
    const auto own = settings->with({{"relayhost", "[hub.test]"},
                                     {"address_verify_relayhost", ""},
                                     {"address_verify_local_transport", "discard:a$$b"}});
    const auto mail_goes = rewrite::Resolver::make(own);
    const auto probes_go = probe_resolver(own, mail_goes);
    const auto route = [&](const rewrite::Resolver& resolver, const char* address) {
        std::string text;
        asio::co_spawn(loop, resolver.resolve("a@b.test", address),
                       [&](std::exception_ptr, Result<rewrite::Route> found) {
                           text = found ? found->transport + " " + found->next_hop : found.error().text();
                       });
        run();
        return text;
    };
    EXPECT_EQ(route(*mail_goes, "x@far.test"), "smtp [hub.test]");
    EXPECT_EQ(route(*probes_go, "x@far.test"), "smtp far.test");
    EXPECT_EQ(route(*mail_goes, "x@golden.test"), "local mail.golden.test");
    EXPECT_EQ(route(*probes_go, "x@golden.test"), "discard a$b");
    stop();
}

TEST_F(VerifierTest, the_sender_changes_with_time_where_that_is_wanted)
{
    start();
    const auto resolver = rewrite::Resolver::make(settings);
    const WallTime now{std::chrono::sys_seconds(1'800'000'000s)};
    const auto plain = ProbeSender::from(*settings, *resolver);
    EXPECT_EQ(plain.at(now), "double-bounce@mail.golden.test");
    EXPECT_TRUE(plain.is_ours("Double-Bounce@mail.golden.test", now));
    EXPECT_FALSE(plain.is_ours("double-bounce@golden.test", now));
    EXPECT_FALSE(plain.is_ours("", now));
    EXPECT_FALSE(plain.changes());

    const auto moving = ProbeSender::from(
        *settings->with({{"address_verify_sender", "probe"}, {"address_verify_sender_ttl", "3601s"}}), *resolver);
    const std::string address = moving.at(now);
    EXPECT_TRUE(moving.changes());
    EXPECT_TRUE(address.starts_with("probe") && address.ends_with("@mail.golden.test") &&
                address.size() > std::string("probe@mail.golden.test").size())
        << address;
    EXPECT_NE(moving.at(now + 3601s), address);
    for (const auto offset : {-3601s, 0s, 3601s}) EXPECT_TRUE(moving.is_ours(address, now + offset));
    EXPECT_FALSE(moving.is_ours(address, now + 3 * 3601s));
    EXPECT_FALSE(moving.is_ours("probe@mail.golden.test", now));

    for (const char* null : {"", "<>"}) {
        const auto nobody = ProbeSender::from(
            *settings->with({{"address_verify_sender", null}, {"address_verify_sender_ttl", "1h"}}), *resolver);
        EXPECT_EQ(nobody.at(now), "");
        EXPECT_FALSE(nobody.is_ours("", now));
        EXPECT_FALSE(nobody.changes());
    }
    stop();
}

}  // namespace
}  // namespace ekiden::verify
