#include "dns/blocklist.hpp"

#include <boost/asio/redirect_error.hpp>

#include <fmt/format.h>

namespace ekiden::dns {
namespace {

bool is_error_code(const net::Address& address)
{
    if (!address.is_v4()) return false;
    const auto bytes = address.to_v4().to_bytes();
    return bytes[0] == 127 && bytes[1] == 255 && bytes[2] == 255;
}

}  // namespace

Result<std::vector<net::Address>> listings_of(std::string_view name, const Answer& answer)
{
    std::vector<net::Address> listings;
    const net::Address* error = nullptr;
    for (const Record& record : answer.records) {
        if (record.type != Type::a) continue;
        if (is_error_code(record.address)) error = &record.address;
        else listings.push_back(record.address);
    }
    if (error && listings.empty())
        return fail(ErrorCode::unavailable, fmt::format("the list refuses to answer: error code {} for name={} type=A",
                                                        net::format_address(*error), name));
    return listings;
}

// Holds only what outlives it: the question is shared, the resolver lives as long as the cores run.
Task<void> Blocklists::ask(std::shared_ptr<Question> question, Resolver& resolver, std::string name)
{
    question->answer = co_await resolver.query_dns(std::move(name), Type::a);
    question->is_answered.cancel();
}

void Blocklists::start(const net::Executor& executor, const std::string& name)
{
    if (questions_.size() >= most_questions) return;
    const auto [at, is_new] = questions_.try_emplace(name);
    if (!is_new) return;
    at->second = std::make_shared<Question>(executor);
    asio::co_spawn(executor, ask(at->second, *resolver_, name), asio::detached);
}

Task<Result<std::vector<net::Address>>> Blocklists::find(std::string name)
{
    const auto asked = questions_.find(name);
    if (asked == questions_.end()) {
        auto answer = co_await resolver_->query_dns(name, Type::a);
        if (!answer) co_return std::unexpected(std::move(answer).error());
        co_return listings_of(name, *answer);
    }
    const std::shared_ptr<Question> question = asked->second;
    while (!question->answer) {
        boost::system::error_code ignored;
        co_await question->is_answered.async_wait(asio::redirect_error(use_task, ignored));
    }
    if (!*question->answer) co_return std::unexpected(question->answer->error());
    co_return listings_of(name, **question->answer);
}

}  // namespace ekiden::dns
