// What becomes of messages that only ask, that are traced, and that have a sender for each recipient.
#include "schedule/settle.hpp"

#include "base/log_sinks.hpp"
#include "support/memory_store.hpp"

#include <gtest/gtest.h>

namespace ekiden::schedule {
namespace {

using deliver::Outcome;
using Kind = Outcome::Kind;
using State = verify::Verifier::Known::State;

class SettleTest : public testing::Test {
protected:
    SettleTest()
    {
        base::use_sink(base::function_sink([this](base::LogLevel, std::string_view tag, std::string line) {
            log += std::string(tag) + ": " + line + "\n";
        }));
        config::LoadOptions options;
        options.read_main_cf = options.read_master_cf = options.is_strict = false;
        options.overrides = {{"compatibility_level", "3.6"},   {"myhostname", "mail.golden.test"},
                             {"mydomain", "golden.test"},      {"mydestination", "$myhostname, golden.test"},
                             {"inet_interfaces", "127.0.0.1"}, {"address_verify_map", ""}};
        settings = config::Settings::load(options);
        intake = rewrite::Intake::make(settings, rewrite::Resolver::make(settings), store);
        verifier = std::make_shared<verify::Verifier>(loop.get_executor(), pool);
        verifier->use(settings, intake);
    }
    ~SettleTest() override
    {
        base::flush_log();
        base::use_sink(base::stderr_sink());
    }

    // A message in the queue, active, with these recipients.
    ActivePtr activate(mail::Purpose purpose, std::vector<std::string> recipients, std::string verp = {})
    {
        mail::Envelope envelope;
        envelope.id = mail::QueueId{42};
        envelope.arrived_at = base::wall_now();
        envelope.sender = "owner@golden.test";
        envelope.purpose = purpose;
        envelope.verp_delimiters = std::move(verp);
        for (std::string& address : recipients) envelope.recipients.push_back({.address = std::move(address)});
        asio::co_spawn(loop, store.commit(std::move(envelope), store.write_content()), asio::detached);
        run();
        auto message = std::make_shared<ActiveMessage>();
        message->envelope = store.messages.back().envelope;
        message->content = store.messages.back().content;
        message->active_at = base::wall_now();
        message->unsettled = message->envelope->recipients.size();
        message->is_traced = message->envelope->only_asks() || purpose == mail::Purpose::trace;
        return message;
    }
    void record(const Settler& settler, ActiveMessage& message, std::vector<Kind> kinds)
    {
        deliver::Job job;
        job.envelope = message.envelope;
        job.content = message.content;
        std::vector<Outcome> outcomes;
        for (std::uint32_t i = 0; i < kinds.size(); ++i) {
            job.recipients.push_back(i);
            Outcome outcome;
            outcome.kind = kinds[i];
            outcome.recipient = i;
            outcome.status = {kinds[i] == Kind::delivered ? "2.1.5"
                              : kinds[i] == Kind::bounced ? "5.1.1"
                                                          : "4.2.1",
                              "text " + std::to_string(i)};
            outcomes.push_back(std::move(outcome));
        }
        settler.record(job, std::move(outcomes), Logger("postfix/smtp"), message);
    }
    std::optional<WallTime> finish(const Settler& settler, ActivePtr message)
    {
        std::optional<WallTime> again;
        asio::co_spawn(loop, settler.finish(std::move(message)),
                       [&](std::exception_ptr error, std::optional<WallTime> at) {
                           if (error) std::rethrow_exception(error);
                           again = at;
                       });
        run();
        base::flush_log();
        return again;
    }
    Settler settler(SettlePolicy policy = {})
    {
        policy.qmgr = Logger("postfix/qmgr");
        return Settler(store, report::Bouncer::make(settings, intake), std::move(policy), verifier);
    }
    void run()
    {
        loop.restart();
        loop.run();
    }
    // Recipients of the messages that are in the queue, but for the one that was settled.
    std::vector<std::string> reports() const
    {
        std::vector<std::string> to;
        for (const auto& message : store.messages) {
            if (message.envelope->id.value != 42) to.push_back(message.envelope->recipients[0].address);
        }
        return to;
    }
    std::string text_of_report() const
    {
        for (const auto& message : store.messages) {
            if (message.envelope->id.value != 42) return message.text();
        }
        return {};
    }
    bool is_gone() const
    {
        return std::ranges::none_of(store.messages,
                                    [](const auto& message) { return message.envelope->id.value == 42; });
    }

    test::MemoryStore store;
    net::BlockingPool pool{1};
    asio::io_context loop{1};
    std::string log;
    config::SettingsPtr settings;
    std::shared_ptr<const rewrite::Intake> intake;
    std::shared_ptr<verify::Verifier> verifier;
};

TEST_F(SettleTest, a_probe_is_an_answer_and_no_more)
{
    const Settler settles = settler({.is_soft_bounce = true});
    const struct {
        std::vector<Kind> kinds;
        State want;
    } rows[] = {
        {{Kind::delivered}, State::deliverable}, {{Kind::bounced}, State::undeliverable}, {{Kind::deferred}, State::deferred},
    };
    int at = 0;
    for (const auto& row : rows) {
        const std::string address = "user" + std::to_string(at++) + "@far.test";
        auto message = activate(mail::Purpose::probe, {address});
        record(settles, *message, row.kinds);
        EXPECT_FALSE(finish(settles, message));
        EXPECT_TRUE(is_gone());
        EXPECT_EQ(verifier->ask(address).state, row.want);
    }
    // An alias and what it stands for are both known by one probe.
    auto message = activate(mail::Purpose::probe, {"person@far.test"});
    auto aliased = std::make_shared<mail::Envelope>(*message->envelope);
    aliased->recipients.front().original = "alias@golden.test";
    message->envelope = aliased;
    record(settles, *message, {Kind::delivered});
    EXPECT_FALSE(finish(settles, message));
    for (const char* address : {"alias@golden.test", "person@far.test"})
        EXPECT_EQ(verifier->ask(address).state, State::deliverable) << address;
    EXPECT_TRUE(reports().empty());
    EXPECT_EQ(log.find("status=bounced"), std::string::npos);
    EXPECT_EQ(log.find("status=deferred"), std::string::npos);
    EXPECT_NE(log.find("dsn=5.1.1, status=undeliverable (text 0)"), std::string::npos) << log;
}

TEST_F(SettleTest, a_question_is_answered_by_a_report)
{
    const Settler settles = settler();
    auto message = activate(mail::Purpose::verify, {"a@far.test", "b@far.test", "c@far.test"});
    record(settles, *message, {Kind::delivered, Kind::bounced, Kind::deferred});
    EXPECT_FALSE(finish(settles, message));
    EXPECT_TRUE(is_gone());
    ASSERT_EQ(reports(), std::vector<std::string>{"owner@golden.test"});
    const std::string text = text_of_report();
    EXPECT_NE(text.find("Subject: Mail Delivery Status Report\n"), std::string::npos) << text;
    for (const char* want : {"rfc822; a@far.test\nOriginal-Recipient: rfc822;a@far.test\nAction: deliverable\n",
                             "rfc822; b@far.test\nOriginal-Recipient: rfc822;b@far.test\nAction: undeliverable\n",
                             "rfc822; c@far.test\nOriginal-Recipient: rfc822;c@far.test\nAction: undeliverable\n"}) {
        EXPECT_NE(text.find(want), std::string::npos) << text;
    }
}

TEST_F(SettleTest, a_question_whose_report_cannot_be_queued_is_asked_again)
{
    const Settler settles = settler();
    auto message = activate(mail::Purpose::verify, {"a@far.test"});
    record(settles, *message, {Kind::delivered});
    store.commit_error = Error(ErrorCode::no_space, "full");
    EXPECT_TRUE(finish(settles, message));
    EXPECT_FALSE(is_gone());
    EXPECT_TRUE(reports().empty());
}

TEST_F(SettleTest, a_traced_message_is_delivered_and_reported)
{
    const Settler settles = settler();
    auto message = activate(mail::Purpose::trace, {"a@far.test", "b@far.test", "c@far.test"});
    record(settles, *message, {Kind::delivered, Kind::bounced, Kind::deferred});
    EXPECT_TRUE(finish(settles, message)) << "one is tried again";
    ASSERT_EQ(reports().size(), 2u) << "a bounce and a report";
    bool is_reported = false;
    for (const auto& queued : store.messages)
        is_reported = is_reported || queued.text().find("Action: delayed") != std::string::npos;
    EXPECT_TRUE(is_reported);
}

TEST_F(SettleTest, each_recipient_of_verp_mail_bounces_to_his_own_address)
{
    auto message = activate(mail::Purpose::deliver, {"a@far.test", "b@far.test", "c@far.test"}, "+=");
    const Settler settles = settler();
    record(settles, *message, {Kind::bounced, Kind::delivered, Kind::bounced});
    EXPECT_FALSE(finish(settles, message));
    EXPECT_TRUE(is_gone());
    EXPECT_EQ(reports(), (std::vector<std::string>{"owner+a=far.test@golden.test", "owner+c=far.test@golden.test"}));
    EXPECT_NE(text_of_report().find("Final-Recipient: rfc822; a@far.test\n"), std::string::npos);
    EXPECT_EQ(text_of_report().find("c@far.test"), std::string::npos);

    store.messages.clear();
    SettlePolicy together;
    together.bounces_one_by_one = false;
    const Settler settles_together = settler(std::move(together));
    message = activate(mail::Purpose::deliver, {"a@far.test", "c@far.test"}, "+=");
    record(settles_together, *message, {Kind::bounced, Kind::bounced});
    EXPECT_FALSE(finish(settles_together, message));
    EXPECT_EQ(reports(), std::vector<std::string>{"owner@golden.test"});
}

TEST_F(SettleTest, verp_takes_one_recipient_at_a_time)
{
    auto message = activate(mail::Purpose::deliver, {"a@far.test", "b@far.test"}, "-=");
    Destination destination("far.test", "smtp", "far.test", {});
    destination.add(message, {0, 1});
    std::vector<Destination::Turn> dropped;
    auto first = destination.take(50, dropped);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->recipients, std::vector<std::uint32_t>{0});
    auto second = destination.take(50, dropped);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->recipients, std::vector<std::uint32_t>{1});
    const auto own = message->envelope_for(1);
    EXPECT_EQ(own->sender, "owner-b=far.test@golden.test");
    ASSERT_EQ(own->recipients.size(), 1u);
    EXPECT_EQ(own->recipients[0].address, "b@far.test");
    EXPECT_EQ(own->id, message->envelope->id);
}

TEST_F(SettleTest, a_removed_question_is_answered_to_nobody)
{
    const Settler settles = settler();
    auto message = activate(mail::Purpose::verify, {"a@far.test"});
    record(settles, *message, {Kind::delivered});
    message->is_withdrawn = message->is_removed = true;
    EXPECT_FALSE(finish(settles, message));
    EXPECT_TRUE(reports().empty());
}

}  // namespace
}  // namespace ekiden::schedule
