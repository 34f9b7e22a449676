#include "schedule/carry_out.hpp"

#include "base/log_sinks.hpp"
#include "support/run_task.hpp"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

#include <new>

namespace ekiden::schedule {
namespace {

class PoorAgent : public deliver::Agent {
public:
    explicit PoorAgent(bool is_poor) : is_poor_(is_poor) {}
    Task<std::vector<deliver::Outcome>> deliver(deliver::Job job) override
    {
        co_await asio::post(co_await net::this_executor(), use_task);
        if (is_poor_) throw std::bad_alloc();
        deliver::Outcome outcome;
        outcome.kind = deliver::Outcome::Kind::delivered;
        co_return same_for_all(job, std::move(outcome));
    }
    Logger logger() const override { return Logger("postfix/poor"); }

private:
    bool is_poor_;
};

TEST(CarryOut, MailIsTriedLaterWhereTheAgentThrows)
{
    std::string log;
    base::use_sink(base::function_sink([&](base::LogLevel, std::string_view, std::string line) { log += line; }));
    deliver::Job job;
    job.envelope = std::make_shared<mail::Envelope>();
    job.recipients = {3, 5};
    for (bool is_poor : {false, true}) {
        for (bool is_elsewhere : {false, true}) {
            std::optional<net::Executor> elsewhere;
            if (is_elsewhere) elsewhere = test::loop().get_executor();
            log.clear();
            const auto outcomes = test::run_task(carry_out(std::make_shared<PoorAgent>(is_poor), job, elsewhere));
            ASSERT_EQ(outcomes.size(), 2u);
            EXPECT_EQ(outcomes[0].recipient, 3u);
            EXPECT_EQ(outcomes[1].recipient, 5u);
            for (const deliver::Outcome& outcome : outcomes) {
                EXPECT_EQ(outcome.kind == deliver::Outcome::Kind::deferred, is_poor);
                EXPECT_EQ(outcome.status.code == "4.3.0", is_poor);
                EXPECT_EQ(outcome.role, deliver::Outcome::Role::settles);
            }
            EXPECT_EQ(log.contains("cannot deliver: "), is_poor) << log;
        }
    }
    base::use_sink(base::stderr_sink());
}

}  // namespace
}  // namespace ekiden::schedule
