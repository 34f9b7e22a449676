#include "deliver/transports.hpp"

#include "base/text.hpp"
#include "config/program_settings.hpp"
#include "deliver/agents.hpp"
#include "deliver/smtp/agent.hpp"
#include "deliver/status_filter.hpp"

#include <algorithm>

namespace ekiden::deliver {

namespace {

struct Program {
    std::string_view name;
    AgentPtr (*make)(const AgentNeeds&);
};
AgentPtr make_smtp(const AgentNeeds& needs)
{
    return make_smtp_agent(needs.settings, needs.service, needs.shared.dns, &needs.shared.pool, needs.others);
}

constexpr Program programs[] = {
    {"smtp", make_smtp},         {"lmtp", make_smtp},             {"local", make_local_agent}, {"virtual", make_virtual_agent},
    {"error", make_error_agent}, {"discard", make_discard_agent}, {"pipe", make_pipe_agent},
};

// "1", "0.5", "1/concurrency", "1 / sqrt_concurrency" (SCHEDULER_README).
struct Feedback {
    double amount = 1;
    bool by_window = false, by_sqrt = false;
};
Feedback parse_feedback(const config::Settings& settings, const std::string& transport, const char* suffix)
{
    std::string own = transport + "_" + suffix;
    std::string text = settings.str(own);
    std::erase_if(text, base::is_space);
    Feedback feedback;
    std::string_view number = text, divisor;
    if (std::size_t slash = number.find('/'); slash != number.npos) {
        divisor = number.substr(slash + 1);
        number = number.substr(0, slash);
    }
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), feedback.amount);
    bool is_fine =
        error == std::errc{} && end == number.data() + number.size() && feedback.amount >= 0 && feedback.amount <= 1;
    if (divisor == "concurrency") feedback.by_window = true;
    else if (divisor == "sqrt_concurrency") feedback.by_sqrt = true;
    else if (!divisor.empty()) is_fine = false;
    if (!is_fine)
        throw config::ConfigError("parameter " + own + ": bad feedback value: " + text, settings.location(own));
    return feedback;
}

// Jobs that wait for silent hosts cost some memory and a descriptor each, but no process.
constexpr int waiting_per_process = 10;

int to_int(std::int64_t value) { return static_cast<int>(std::clamp<std::int64_t>(value, 0, 1'000'000)); }

}  // namespace

std::shared_ptr<const Transports> Transports::make(config::SettingsPtr settings, const TransportNeeds& needs)
{
    auto result = std::make_shared<Transports>();
    // What says how much goes where at a time is the queue manager's.
    const config::SettingsPtr queue = config::settings_of_program(settings, "qmgr");
    auto deferred = queue->list("defer_transports");
    int process_limit = to_int(settings->integer("default_process_limit"));
    auto agents = std::make_shared<AgentsByName>();
    for (const config::ServiceSpec& service : settings->services()) {
        if (service.type != "unix") continue;
        auto program = std::find_if(std::begin(programs), std::end(programs),
                                    [&](const Program& p) { return p.name == service.command; });
        if (program == std::end(programs)) continue;

        Transport transport;
        transport.name = service.name;
        transport.program = service.command;
        transport.agent = program->make({settings->for_service(service), service, needs, agents});
        bool has_filter = service.command != "error" && service.command != "discard";
        if (has_filter)
            transport.agent =
                with_status_filter(std::move(transport.agent), *settings->for_service(service), service.command);
        agents->insert_or_assign(service.name, transport.agent);
        transport.process_limit = service.process_limit(process_limit);
        // A limit that the operator gives this very service is meant as it stands ("two connections to that host at most").
        bool is_network = service.command == "smtp" || service.command == "lmtp";
        if (is_network && service.max_processes == "-")
            transport.waiting_limit = transport.process_limit * waiting_per_process;
        const std::string& name = service.name;
        transport.destination_concurrency_limit =
            to_int(queue->transport_integer(name, "destination_concurrency_limit"));
        transport.initial_destination_concurrency =
            to_int(queue->transport_integer(name, "initial_destination_concurrency"));
        transport.recipient_limit = to_int(queue->transport_integer(name, "destination_recipient_limit"));
        transport.rate_delay = queue->transport_time(name, "destination_rate_delay");
        transport.transport_rate_delay = queue->transport_time(name, "transport_rate_delay");
        transport.failed_cohort_limit =
            to_int(queue->transport_integer(name, "destination_concurrency_failed_cohort_limit"));
        Feedback positive = parse_feedback(*queue, name, "destination_concurrency_positive_feedback");
        Feedback negative = parse_feedback(*queue, name, "destination_concurrency_negative_feedback");
        transport.positive_feedback = positive.amount;
        transport.positive_by_window = positive.by_window;
        transport.positive_by_sqrt = positive.by_sqrt;
        transport.negative_feedback = negative.amount;
        transport.negative_by_window = negative.by_window;
        transport.negative_by_sqrt = negative.by_sqrt;
        transport.is_deferred = std::find(deferred.begin(), deferred.end(), name) != deferred.end();
        // local(8) and virtual(8) work on one recipient at a time, whatever the general limit says.
        if (service.command == "local" || service.command == "virtual") transport.recipient_limit = 1;
        if (int most = transport.agent->most_recipients(); most > 0) transport.recipient_limit = most;
        result->transports_.insert_or_assign(name, std::move(transport));
    }
    return result;
}

const Transport* Transports::find(std::string_view name) const
{
    auto at = transports_.find(name);
    return at == transports_.end() ? nullptr : &at->second;
}

}  // namespace ekiden::deliver
