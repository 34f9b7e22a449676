#include "deliver/smtp/agent.hpp"

#include "deliver/smtp/delivery.hpp"
#include "dns/filtered.hpp"

#include <mutex>

namespace ekiden::deliver {

namespace {

using smtp::Options;
using smtp::Reuse;

class SmtpAgent : public Agent {
public:
    SmtpAgent(Options options, dns::Resolver& resolver, std::shared_ptr<const AgentsByName> others)
        : options_(std::move(options)), logger_(options_.log_tag, options_.verbosity), resolver_(resolver),
          others_(std::move(others))
    {
        if (options_.dns_filter.is_empty()) return;
        filtered_.emplace(
            resolver, options_.dns_filter.title(),
            [filter = options_.dns_filter](std::string line) { return filter.find(std::move(line)); }, logger_);
    }
    ~SmtpAgent() override
    {
        // Connections belong to the core they were made on.
        for (auto& [context, reuse] : per_core_) asio::post(*context, [idle = std::move(reuse)] { idle->close_all(); });
    }

    Task<std::vector<Outcome>> deliver(Job job) override
    {
        std::call_once(was_told_, [this] { tell_problems(); });
        const net::Executor executor = co_await asio::this_coro::executor;
        dns::Resolver& resolver = filtered_ ? static_cast<dns::Resolver&>(*filtered_) : resolver_;
        smtp::Delivery delivery(job, options_, logger_, resolver, reuse_of(executor));
        const AgentPtr best = agent_for_own();
        auto outcomes = co_await delivery.run(best != nullptr);
        if (delivery.own_domain().empty()) co_return outcomes;
        // One recipient at a time, as every program can take them.
        for (const std::uint32_t recipient : delivery.left()) {
            Job part = job;
            part.transport = options_.best_mx_transport.substr(0, options_.best_mx_transport.find(':'));
            part.next_hop = next_hop_for_own(delivery.own_domain());
            part.recipients = {recipient};
            auto some = co_await best->deliver(std::move(part));
            for (Outcome& outcome : some) {
                if (outcome.log_name.empty()) outcome.log_name = best->logger().tag();
                outcomes.push_back(std::move(outcome));
            }
        }
        co_return outcomes;
    }

    Logger logger() const override { return logger_; }

    void close_idle() override
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [context, reuse] : per_core_) asio::post(*context, [idle = reuse] { idle->close_all(); });
    }

private:
    // Tables that could not be opened: their lookups will fail, and this is why. Said with the first job, since a transport
    // that nobody uses needs no mending.
    void tell_problems() const
    {
        if (!options_.best_mx_transport.empty() && !agent_for_own()) {
            logger_.warning("best_mx_transport = {}: not a transport that can deliver here",
                            options_.best_mx_transport);
        }
        const tls::ClientOptions& tls = options_.tls->options();
        for (const table::Maps* tables :
             {&options_.login.passwords, &options_.dns_filter, &options_.workarounds_by_address, &tls.policies,
              &tls.sites}) {
            for (const std::string& problem : tables->problems()) logger_.error("{}", problem);
        }
    }
    // best_mx_transport; null where mail that comes back to us is an error.
    AgentPtr agent_for_own() const
    {
        if (options_.best_mx_transport.empty() || !others_) return nullptr;
        const auto at = others_->find(options_.best_mx_transport.substr(0, options_.best_mx_transport.find(':')));
        AgentPtr agent = at == others_->end() ? nullptr : at->second.lock();
        // Another SMTP client would find the same host, and hand the mail on for ever.
        if (agent && agent->logger().tag().ends_with("smtp")) agent = nullptr;
        return agent;
    }
    std::string next_hop_for_own(const std::string& domain) const
    {
        const auto colon = options_.best_mx_transport.find(':');
        const std::string given =
            colon == options_.best_mx_transport.npos ? "" : options_.best_mx_transport.substr(colon + 1);
        return given.empty() ? domain : given;
    }
    std::shared_ptr<Reuse> reuse_of(const net::Executor& executor)
    {
        auto* context = &executor.context();
        const std::lock_guard lock(mutex_);
        for (const auto& [known, reuse] : per_core_) {
            if (known == context) return reuse;
        }
        per_core_.emplace_back(context, std::make_shared<Reuse>(executor));
        return per_core_.back().second;
    }

    const Options options_;
    const Logger logger_;
    dns::Resolver& resolver_;
    std::optional<dns::FilteredResolver> filtered_;   // smtp_dns_reply_filter
    const std::shared_ptr<const AgentsByName> others_;
    std::once_flag was_told_;
    std::mutex mutex_;
    std::vector<std::pair<asio::io_context*, std::shared_ptr<Reuse>>> per_core_;
};

}  // namespace

AgentPtr make_smtp_agent(config::SettingsPtr service_settings, const config::ServiceSpec& service,
                         dns::Resolver& resolver, net::BlockingPool* pool, std::shared_ptr<const AgentsByName> others)
{
    Options options = Options::from(*service_settings, service);
    options.pool = pool;
    options.outgoing = rewrite::Outgoing::from(service_settings, options.is_lmtp ? "lmtp_" : "smtp_");
    return std::make_shared<SmtpAgent>(std::move(options), resolver, std::move(others));
}

}  // namespace ekiden::deliver
