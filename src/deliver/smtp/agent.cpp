#include "deliver/smtp/agent.hpp"

#include "deliver/smtp/delivery.hpp"

#include <mutex>

namespace ekiden::deliver {

namespace {

using smtp::Options;
using smtp::Reuse;

class SmtpAgent : public Agent {
public:
    SmtpAgent(Options options, dns::Resolver& resolver)
        : options_(std::move(options)), logger_(options_.log_tag, options_.verbosity), resolver_(resolver)
    {
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
        smtp::Delivery delivery(job, options_, logger_, resolver_, reuse_of(executor));
        co_return co_await delivery.run();
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
        const tls::ClientOptions& tls = options_.tls->options();
        for (const table::Maps* tables : std::initializer_list<const table::Maps*>{&options_.login.passwords, &tls.policies, &tls.sites}) {
            for (const std::string& problem : tables->problems()) logger_.error("{}", problem);
        }
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
    std::once_flag was_told_;
    std::mutex mutex_;
    std::vector<std::pair<asio::io_context*, std::shared_ptr<Reuse>>> per_core_;
};

}  // namespace

AgentPtr make_smtp_agent(config::SettingsPtr service_settings, const config::ServiceSpec& service, dns::Resolver& resolver,
                         net::BlockingPool* pool)
{
    Options options = Options::from(*service_settings, service);
    options.pool = pool;
    options.outgoing = rewrite::Outgoing::from(service_settings, options.is_lmtp ? "lmtp_" : "smtp_");
    return std::make_shared<SmtpAgent>(std::move(options), resolver);
}

}  // namespace ekiden::deliver
