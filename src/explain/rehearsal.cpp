#include "explain/rehearsal.hpp"

#include "config/program_settings.hpp"
#include "mail/queue_id.hpp"
#include "queue/text_content.hpp"
#include "table/maps.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ekiden::explain {

namespace {

constexpr std::string_view usual_service = "smtp";
constexpr std::size_t most_generations = 20;    // mail that local(8) sends on, and again, and again

dns::ResolverOptions dns_options(const config::Settings& settings)
{
    dns::ResolverOptions options;
    options.server = settings.str("ekiden_dns_server");
    return options;
}

std::unique_ptr<dns::Resolver> open_dns(const config::Settings& settings)
{
    auto opened = dns::open_resolver(dns_options(settings));
    if (!opened) throw config::ConfigError(opened.error().text());
    return std::move(*opened);
}

config::SettingsPtr of_cleanup(const config::SettingsPtr& settings, const std::string& name)
{
    for (const config::ServiceSpec& service : settings->services()) {
        if (service.command == "cleanup" && service.name == name && !service.overrides.empty())
            return settings->for_service(service);
    }
    return settings;
}

}  // namespace

// The smtpd line that is meant. Where postscreen stands at the port, what it hands clients to is the one that decides.
Rehearsal::Chosen Rehearsal::choose_service(const config::Settings& settings, const std::string& name)
{
    Chosen chosen;
    const std::string wanted = name.empty() ? std::string(usual_service) : name;
    const config::ServiceSpec *first = nullptr, *behind_screen = nullptr, *screen = nullptr;
    for (const config::ServiceSpec& service : settings.services()) {
        const bool is_server = service.command == "smtpd";
        if (is_server && service.type == "inet" && !first) first = &service;
        if (is_server && service.type == "pass" && !behind_screen) behind_screen = &service;
        // "submission" is 127.0.0.1:submission too.
        if (service.type == "unix" || (service.name != wanted && !service.name.ends_with(":" + wanted))) continue;
        if (is_server && !chosen.service) chosen.service = &service;
        else if (service.command == "postscreen") screen = &service;
    }
    if (!chosen.service && screen) {
        chosen.service = behind_screen;
        chosen.notes.push_back("postscreen stands in front of this port: its tests are not part of this answer");
    }
    if (!chosen.service && name.empty()) chosen.service = first ? first : behind_screen;
    if (!chosen.service) throw config::ConfigError(fmt::format("master.cf has no smtpd service \"{}\"", wanted));
    return chosen;
}

// Programs that would be handed the message, or asked about it: named, and left out.
config::SettingsPtr Rehearsal::without_others(const config::SettingsPtr& settings, std::vector<std::string>& notes)
{
    std::vector<std::pair<std::string, std::string>> off{{"smtpd_tls_wrappermode", "no"},
                                                         {"smtpd_upstream_proxy_protocol", ""}};
    for (const char* parameter : {"smtpd_milters", "smtpd_milter_maps", "smtpd_proxy_filter"}) {
        const std::string value = settings->str(parameter);
        if (value.empty()) continue;
        notes.push_back(fmt::format("{} = {} is not asked", parameter, value));
        off.emplace_back(parameter, "");
    }
    return settings->with(off);
}

Rehearsal::Rehearsal(Question question, config::SettingsPtr settings, StandIn& stand_in, std::string content)
    : question_(std::move(question)), recorder_(question_.asks_policy), settings_(std::move(settings)),
      places_(settings_), content_(queue::text_content(std::move(content))), dns_(open_dns(*settings_)),
      store_(settings_->str("queue_directory"), static_cast<std::uint64_t>(settings_->integer("queue_minfree")))
{
    mail::use_long_queue_ids(settings_->boolean("enable_long_queue_ids"));
    table::use_blocking_pool(&pool_);
    Chosen chosen = choose_service(*settings_, question_.service);
    service_ = chosen.service;
    notes_ = std::move(chosen.notes);
    const config::SettingsPtr written = settings_->for_service(*service_);
    places_ = Places(written);
    findings_.is_encrypted = question_.is_encrypted || written->boolean("smtpd_tls_wrappermode");
    own_settings_ = without_others(written, notes_);

    resolver_ = rewrite::Resolver::make(config::settings_of_program(settings_, "trivial-rewrite"));
    intake_ =
        rewrite::Intake::make(of_cleanup(settings_, own_settings_->str("cleanup_service_name")), resolver_, store_);
    transports_ = deliver::Transports::make(settings_, {*dns_, pool_, intake_, &stand_in.helper()});
    const auto made =
        receive::ServerSettings::make(own_settings_, *service_, resolver_, intake_, *dns_, {}, {}, &pool_);
    for (const config::Problem& problem : made.service()->policy->problems()) {
        if (problem.level == config::Problem::Level::fatal) throw config::ConfigError(problem.text, problem.at);
    }
    // Who has logged in is told by the question, and nobody is asked.
    auto server = std::make_shared<receive::Service>(*made.service());
    server->logins = nullptr;
    server_ = std::move(server);

    findings_.service = service_->name;
    findings_.service_at = {service_->file, service_->line, false};
    findings_.login = question_.login;
    if (!question_.login.empty() && !written->boolean("smtpd_sasl_auth_enable"))
        notes_.push_back("smtpd_sasl_auth_enable is off for this service: nobody can log in here (" +
                         places_.find("smtpd_sasl_auth_enable").text() + ")");
    else if (!question_.login.empty() && !findings_.is_encrypted && server_->options.tls.auth_needs_tls)
        notes_.push_back("this service takes no login without TLS: add --tls");
}

Rehearsal::~Rehearsal()
{
    // What waits for an answer ends before what would answer it.
    context_.stop();
    table::use_blocking_pool(nullptr);
}

Findings Rehearsal::play()
{
    const Recording recording(recorder_);
    std::exception_ptr trouble;
    asio::co_spawn(context_, answer(), [&](std::exception_ptr error) {
        trouble = error;
        context_.stop();
    });
    context_.run();
    if (trouble) std::rethrow_exception(trouble);
    findings_.notes = std::move(notes_);
    findings_.verdict = judge(findings_, places_);
    return std::move(findings_);
}

Task<void> Rehearsal::answer()
{
    findings_.steps = co_await converse(question_.recipient, true);
    std::vector<queue::EnvelopePtr> queued = store_.take();
    co_await find_relaying();
    store_.take();
    std::string from;
    for (std::size_t generation = 0; !queued.empty() && generation < most_generations; ++generation) {
        if (generation == 0) {
            findings_.is_queued = true;
            findings_.is_held = queued.front()->is_held;
            findings_.sender = queued.front()->sender;
        }
        for (const queue::EnvelopePtr& envelope : queued) co_await follow(envelope, from);
        queued = store_.take();
        from = "local(8)";
    }
    if (!queued.empty()) notes_.push_back("the mail is sent on more than 20 times: a loop?");
}

}  // namespace ekiden::explain
