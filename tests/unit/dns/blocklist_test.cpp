#include "dns/blocklist.hpp"
#include "support/memory_stream.hpp"

#include <gtest/gtest.h>

namespace ekiden::dns {
namespace {

// Answers nobody before `wanted` questions have come; only those who ask at the same time get through.
class Together : public Resolver {
public:
    Together(net::Executor executor, std::size_t wanted)
        : all_came_(executor, net::Timer::time_point::max()), wanted_(wanted)
    {
    }
    Task<Result<Answer>> query(std::string name, Type type) override
    {
        asked.push_back(name + "/" + std::string(name_of(type)));
        if (asked.size() >= wanted_) all_came_.cancel();
        while (asked.size() < wanted_) {
            boost::system::error_code ignored;
            co_await all_came_.async_wait(asio::redirect_error(use_task, ignored));
        }
        if (name.starts_with("dead")) co_return std::unexpected(trouble_with(name, type));
        Answer answer;
        if (!name.starts_with("no")) answer.records.push_back({Type::a, {}, *net::parse_address("127.0.0.2"), {}, 0});
        co_return answer;
    }
    std::vector<std::string> asked;

private:
    net::Timer all_came_;
    std::size_t wanted_;
};

std::string show(const Result<std::vector<net::Address>>& listings)
{
    if (!listings) return listings.error().text();
    std::string text;
    for (const auto& address : *listings) text += (text.empty() ? "" : " ") + net::format_address(address);
    return text;
}

Task<std::vector<std::string>> find_all(Resolver& resolver, std::vector<std::string> names, bool asks_ahead)
{
    Blocklists lists(resolver);
    std::vector<std::string> answers;
    if (asks_ahead) {
        for (const std::string& name : names) lists.start(co_await net::this_executor(), name);
    }
    for (const std::string& name : names) answers.push_back(show(co_await lists.find(name)));
    co_return answers;
}

TEST(Blocklists, AreAskedAtTheSameTimeAndUsedInOrder)
{
    test::Loop loop;
    Together resolver(loop.executor(), 4);
    const auto answers = loop.run(find_all(resolver, {"yes.a", "no.b", "dead.c", "yes.d", "yes.a"}, true));
    const std::vector<std::string> want = {
        "127.0.0.2", "",
        "Host or domain name not found. Name service error for name=dead.c type=A: Host not found, try again",
        "127.0.0.2", "127.0.0.2"};
    EXPECT_EQ(answers, want);
    EXPECT_EQ(resolver.asked, (std::vector<std::string>{"yes.a/A", "no.b/A", "dead.c/A", "yes.d/A"}));
}

TEST(Blocklists, AnswerWithoutBeingAskedAhead)
{
    test::Loop loop;
    Together resolver(loop.executor(), 1);
    EXPECT_EQ(loop.run(find_all(resolver, {"yes.a", "no.b"}, false)), (std::vector<std::string>{"127.0.0.2", ""}));
}

TEST(Blocklists, BoundWhatIsInFlight)
{
    test::Loop loop;
    Together resolver(loop.executor(), 1);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < Blocklists::most_questions + 10; ++i) names.push_back("yes." + std::to_string(i));
    EXPECT_EQ(loop.run(find_all(resolver, names, true)), std::vector<std::string>(names.size(), "127.0.0.2"));
    EXPECT_EQ(resolver.asked.size(), names.size());
}

TEST(Blocklists, ErrorCodesAreNoListings)
{
    struct {
        std::vector<const char*> addresses;
        const char* want;
    } rows[] = {
        {{"127.0.0.2"}, "127.0.0.2"},
        {{}, ""},
        {{"127.255.255.254"}, "the list refuses to answer: error code 127.255.255.254 for name=x type=A"},
        {{"127.255.255.0", "127.255.255.255"}, "the list refuses to answer: error code 127.255.255.255 for name=x type=A"},
        {{"127.255.255.252", "127.0.0.4"}, "127.0.0.4"},
        {{"127.255.254.255", "127.254.255.255"}, "127.255.254.255 127.254.255.255"},
    };
    for (const auto& row : rows) {
        Answer answer;
        for (const char* address : row.addresses)
            answer.records.push_back({Type::a, {}, *net::parse_address(address), {}, 0});
        EXPECT_EQ(show(listings_of("x", answer)), row.want);
    }
}

}  // namespace
}  // namespace ekiden::dns
