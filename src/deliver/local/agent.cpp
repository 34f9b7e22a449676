// local(8): mail for the users of this machine. One recipient a job.
#include "deliver/agents.hpp"
#include "deliver/local/delivery.hpp"

namespace ekiden::deliver {

namespace {

class LocalAgent : public Agent {
public:
    explicit LocalAgent(const AgentNeeds& needs)
        : services_{Logger(needs.settings->str("syslog_name") + "/local", needs.service.verbosity),
                    needs.shared.helper,
                    needs.shared.pool,
                    needs.shared.intake,
                    LocalOptions::from(*needs.settings,
                                       Logger(needs.settings->str("syslog_name") + "/local", needs.service.verbosity)),
                    needs.others,
                    needs.service.name}
    {
    }

    Task<std::vector<Outcome>> deliver(Job job) override
    {
        if (!services_.helper) {
            Outcome outcome;
            outcome.relay = "local";
            outcome.status = {"4.3.5", "the delivery helper does not run"};
            co_return same_for_all(job, std::move(outcome));
        }
        std::vector<Outcome> all;
        for (std::uint32_t recipient : job.recipients) {
            LocalDelivery delivery(services_, job, recipient);
            for (Outcome& outcome : co_await delivery.run()) all.push_back(std::move(outcome));
        }
        co_return all;
    }
    Logger logger() const override { return services_.logger; }

private:
    LocalServices services_;
};

}  // namespace

AgentPtr make_local_agent(const AgentNeeds& needs) { return std::make_shared<LocalAgent>(needs); }

}  // namespace ekiden::deliver
