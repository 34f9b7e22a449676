#include "deliver/status_filter.hpp"

#include "base/text.hpp"

namespace ekiden::deliver {

namespace {

class FilteredAgent : public Agent {
public:
    FilteredAgent(AgentPtr agent, table::Maps maps) : agent_(std::move(agent)), maps_(std::move(maps)) {}

    Task<std::vector<Outcome>> deliver(Job job) override
    {
        std::vector<Outcome> outcomes = co_await agent_->deliver(std::move(job));
        const Logger log = agent_->logger();
        for (Outcome& outcome : outcomes) {
            // What another transport said of mail that was passed on has been through that one's own filter.
            if (outcome.role == Outcome::Role::told || !outcome.log_name.empty()) continue;
            std::string key = outcome.status.code + " " + outcome.status.text;
            auto answer = co_await maps_.find(std::move(key), &log);
            if (!answer) {
                // The message's fate is known; a filter that fails is no reason to lose it.
                log.warning("{}: lookup error for \"{} {}\"", maps_.title(), outcome.status.code, outcome.status.text);
                continue;
            }
            if (!*answer) continue;
            auto status = filtered_status(outcome.status, **answer);
            if (!status) {
                log.warning("{}: ignoring bad result \"{}\" for \"{} {}\"", maps_.title(), **answer,
                            outcome.status.code, outcome.status.text);
                continue;
            }
            outcome.status = std::move(*status);
            if (outcome.kind != Outcome::Kind::delivered)
                outcome.kind = outcome.status.is_permanent() ? Outcome::Kind::bounced : Outcome::Kind::deferred;
        }
        co_return outcomes;
    }
    Logger logger() const override { return agent_->logger(); }
    int most_recipients() const override { return agent_->most_recipients(); }
    void close_idle() override { agent_->close_idle(); }

private:
    AgentPtr agent_;
    table::Maps maps_;
};

}  // namespace

std::optional<mail::Status> filtered_status(const mail::Status& status, std::string_view answer)
{
    std::size_t length = mail::enhanced_code_length(answer);
    if (length == 0 || (length < answer.size() && !base::is_space(answer[length]))) return std::nullopt;
    std::string_view text = base::trim(answer.substr(length));
    bool was_success = status.code.starts_with('2'), is_success = answer.front() == '2';
    if (text.empty() || was_success != is_success) return std::nullopt;
    return mail::Status{std::string(answer.substr(0, length)), std::string(text)};
}

AgentPtr with_status_filter(AgentPtr agent, const config::Settings& settings, std::string_view program)
{
    std::string parameter = std::string(program) + "_delivery_status_filter";
    table::Maps maps = table::Maps::open(parameter, settings.str(parameter));
    if (maps.is_empty()) return agent;
    return std::make_shared<FilteredAgent>(std::move(agent), std::move(maps));
}

}  // namespace ekiden::deliver
