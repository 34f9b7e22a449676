// Questions to DNS block and allow lists (RFC 5782). All lists that a message will be held against can be asked at the
// same time: start() begins to ask, find() waits for one answer, in whatever order the caller's rules stand.
//
// A list that answers with 127.255.255.0/24 says that it does not serve us (public resolver, too many questions), and
// one that does not answer says nothing: both are errors, never listings. Answers are kept for their TTL, positive and
// negative, by the Resolver; here only what is in flight for one decision is held. Bounded: `most_questions` ahead of
// time; more are asked when their turn comes.
//
// One decision, one core. Questions that nobody waits for any more end by themselves.
#pragma once

#include "dns/resolver.hpp"
#include "net/deadline.hpp"

#include <map>

namespace ekiden::dns {

class Blocklists {
public:
    static constexpr std::size_t most_questions = 64;

    explicit Blocklists(Resolver& resolver) : resolver_(&resolver) {}

    // Begins to ask for the A records of "2.0.0.127.zen.example.org". Thread: the core's.
    void start(const net::Executor& executor, const std::string& name);
    // The addresses with which the list answers: none = not listed.
    Task<Result<std::vector<net::Address>>> find(std::string name);

private:
    struct Question {
        explicit Question(const net::Executor& executor) : is_answered(executor, net::Timer::time_point::max()) {}
        net::Timer is_answered;
        std::optional<Result<Answer>> answer;
    };
    static Task<void> ask(std::shared_ptr<Question> question, Resolver& resolver, std::string name);
    Resolver* resolver_;
    std::map<std::string, std::shared_ptr<Question>> questions_;
};

// The listings in an answer; an error when it holds nothing but error codes.
Result<std::vector<net::Address>> listings_of(std::string_view name, const Answer& answer);

}  // namespace ekiden::dns
