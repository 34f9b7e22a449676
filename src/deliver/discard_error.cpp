// discard(8) and error(8): agents that deliver nowhere and say why.
#include "base/text.hpp"
#include "deliver/agents.hpp"

namespace ekiden::deliver {

namespace {

Logger logger_for(const AgentNeeds& needs)
{
    return Logger(needs.settings->str("syslog_name") + "/" + needs.service.command, needs.service.verbosity);
}

class DiscardAgent : public Agent {
public:
    explicit DiscardAgent(const AgentNeeds& needs) : logger_(logger_for(needs)) {}
    Task<std::vector<Outcome>> deliver(Job job) override
    {
        Outcome outcome;
        outcome.kind = Outcome::Kind::delivered;
        // The next hop is the reason that the table gave.
        outcome.status = {"2.0.0", job.next_hop.empty() ? "none" : job.next_hop};
        outcome.ended_at = base::wall_now();
        co_return same_for_all(job, std::move(outcome));
    }
    Logger logger() const override { return logger_; }

private:
    Logger logger_;
};

// error:5.1.1 text and error:text (5.0.0) → bounced; the retry service defers, with 4.x.x or 4.0.0.
class ErrorAgent : public Agent {
public:
    explicit ErrorAgent(const AgentNeeds& needs) : logger_(logger_for(needs)), is_retry_(needs.service.name == "retry")
    {
    }
    Task<std::vector<Outcome>> deliver(Job job) override
    {
        std::string_view text = job.next_hop;
        Outcome outcome;
        outcome.status.code = is_retry_ ? "4.0.0" : "5.0.0";
        if (std::size_t length = mail::enhanced_code_length(text); length > 0) {
            outcome.status.code = text.substr(0, length);
            text = base::trim(text.substr(length));
        }
        // The service decides between the two, and so far as a code says something else it says nothing.
        const char wanted = is_retry_ ? '4' : '5';
        if (outcome.status.code[0] != wanted) {
            logger_.warning("{}: ignoring dsn code \"{}\"", is_retry_ ? "defer_append" : "bounce_append",
                            outcome.status.code);
            outcome.status.code = is_retry_ ? "4.0.0" : "5.0.0";
        }
        outcome.status.text = text;
        outcome.kind = outcome.status.is_temporary() ? Outcome::Kind::deferred : Outcome::Kind::bounced;
        outcome.ended_at = base::wall_now();
        co_return same_for_all(job, std::move(outcome));
    }
    Logger logger() const override { return logger_; }

private:
    Logger logger_;
    bool is_retry_;
};

}  // namespace

AgentPtr make_discard_agent(const AgentNeeds& needs) { return std::make_shared<DiscardAgent>(needs); }
AgentPtr make_error_agent(const AgentNeeds& needs) { return std::make_shared<ErrorAgent>(needs); }

}  // namespace ekiden::deliver
