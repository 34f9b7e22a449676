// What would become of the queued message: each recipient's route, and what its agent would do.
#include "base/clock.hpp"
#include "base/text.hpp"
#include "explain/rehearsal.hpp"
#include "mail/address.hpp"

#include <fmt/format.h>

namespace ekiden::explain {

namespace {

constexpr std::size_t most_deliveries = 200;    // recipients that are followed to their end

std::string_view name_of(rewrite::AddressClass address_class)
{
    switch (address_class) {
    case rewrite::AddressClass::local: return "local";
    case rewrite::AddressClass::virtual_alias: return "virtual alias";
    case rewrite::AddressClass::virtual_mailbox: return "virtual mailbox";
    case rewrite::AddressClass::relay: return "relay";
    case rewrite::AddressClass::other: return "other";
    }
    return "";
}

Fate fate_of(deliver::Outcome::Kind kind)
{
    switch (kind) {
    case deliver::Outcome::Kind::delivered: return Fate::delivered;
    case deliver::Outcome::Kind::deferred: return Fate::deferred;
    case deliver::Outcome::Kind::bounced: return Fate::bounced;
    }
    return Fate::unknown;
}

std::string entry_of(const Event& lookup)
{
    return fmt::format("{} {}, key {}", lookup.name, lookup.where, lookup.detail);
}

}  // namespace

// As the scheduler does it when it takes a message up (schedule/feeding).
Task<void> Rehearsal::follow(queue::EnvelopePtr envelope, std::string forwarded_from)
{
    for (std::uint32_t i = 0; i < envelope->recipients.size(); ++i) {
        if (findings_.deliveries.size() >= most_deliveries) {
            ++findings_.left_out;
            continue;
        }
        const mail::Recipient& recipient = envelope->recipients[i];
        Delivery delivery;
        delivery.address = recipient.address;
        delivery.original = recipient.original;
        delivery.forwarded_from = forwarded_from;
        recorder_.take();
        auto route = co_await resolver_->resolve(envelope->sender, recipient.address);
        delivery.route = recorder_.take();
        if (!route) {
            delivery.ends.push_back(
                {Fate::deferred, recipient.address, "4.3.0", "address resolver failure: " + route.error().text()});
        } else if (route->has_bad_syntax) {
            delivery.ends.push_back({Fate::bounced, recipient.address, "5.1.3", "bad address syntax"});
        } else {
            if (!envelope->filter.empty()) {
                rewrite::apply_filter(*route, envelope->filter, recipient.address);
                delivery.route.push_back({.what = "route",
                                          .name = "FILTER",
                                          .detail = "transport",
                                          .value = envelope->filter,
                                          .where = {},
                                          .answer = {},
                                          .inside = {}});
            }
            delivery.address_class = name_of(route->address_class);
            delivery.transport = route->transport;
            delivery.next_hop = route->next_hop;
            queue::EnvelopePtr own = envelope;
            if (!route->recipient.empty() && route->recipient != recipient.address) {
                auto changed = std::make_shared<mail::Envelope>(*envelope);
                changed->recipients[i].address = route->recipient;
                delivery.address = route->recipient;
                own = std::move(changed);
            }
            co_await deliver(delivery, std::move(own), i);
        }
        findings_.deliveries.push_back(std::move(delivery));
    }
}

Task<void> Rehearsal::deliver(Delivery& delivery, queue::EnvelopePtr envelope, std::uint32_t recipient)
{
    for (const config::ServiceSpec& service : settings_->services()) {
        if (service.type == "unix" && service.name == delivery.transport)
            delivery.transport_at = {service.file, service.line, false};
    }
    const deliver::Transport* const transport = transports_->find(delivery.transport);
    if (!transport) {
        delivery.ends.push_back(
            {Fate::deferred, delivery.address, "4.3.0", "mail transport unavailable: master.cf has no such service"});
        co_return;
    }
    delivery.program = transport->program;
    if (transport->is_deferred) {
        delivery.ends.push_back(
            {Fate::deferred, delivery.address, "4.3.2",
             fmt::format("deferred transport (defer_transports, {})", places_.find("defer_transports").text())});
        co_return;
    }
    deliver::Job job;
    job.envelope = std::move(envelope);
    job.content = content_;
    job.transport = delivery.transport;
    job.next_hop = delivery.next_hop;
    job.recipients = {recipient};
    job.active_at = job.started_at = base::wall_now();
    std::vector<deliver::Outcome> outcomes = co_await transport->agent->deliver(std::move(job));
    delivery.events = recorder_.take();
    read_hosts(delivery);
    const bool is_soft = settings_->boolean("soft_bounce");
    for (const deliver::Outcome& outcome : outcomes) {
        if (outcome.role == deliver::Outcome::Role::told) continue;
        Delivery::End end{fate_of(outcome.kind),
                          outcome.recipient_address.empty() ? delivery.address : outcome.recipient_address,
                          outcome.status.code, outcome.status.text};
        if (is_soft && end.fate == Fate::bounced) end.fate = Fate::deferred;
        // Nobody was asked: what the server would say is not known, and taken to be yes.
        if (end.fate == Fate::deferred && end.text.starts_with("not connected to ") && !delivery.hosts.empty()) {
            end.fate = Fate::delivered;
            end.code = "";
            end.text = "would be handed to " + delivery.hosts.front().relay;
        }
        delivery.ends.push_back(std::move(end));
    }
}

// The notes of the SMTP client, host by host: the policy's entry is looked up before "host", the login's before "login".
void Rehearsal::read_hosts(Delivery& delivery)
{
    std::string policy, login;
    for (const Event& event : delivery.events) {
        if (event.what == "lookup" && (event.name.ends_with("tls_policy_maps") || event.name.ends_with("tls_per_site")))
            policy = entry_of(event);
        if (event.what == "lookup" && event.name.ends_with("sasl_password_maps")) login = entry_of(event);
        if (event.what == "host") {
            Host host;
            host.relay = event.name;
            host.destination = event.where;
            delivery.hosts.push_back(std::move(host));
            login.clear();
        }
        if (delivery.hosts.empty()) continue;
        Host& host = delivery.hosts.back();
        if (event.what == "tls") {
            host.tls = event.name;
            host.tls_names = event.value;
            host.is_wrapped = event.where == "wrapped";
            const std::string prefix = delivery.program == "lmtp" ? "lmtp_" : "smtp_";
            std::string parameter = prefix + "tls_security_level";
            if (policy.empty()) {
                // The transport's own line may set it.
                config::SettingsPtr of_transport = settings_;
                for (const config::ServiceSpec& service : settings_->services()) {
                    if (service.type == "unix" && service.name == delivery.transport && !service.overrides.empty())
                        of_transport = settings_->for_service(service);
                }
                // The old settings count where the new one is not there.
                if (of_transport->str(parameter).empty()) {
                    for (const char* old : {"enforce_tls", "use_tls"}) {
                        if (!of_transport->boolean(prefix + old)) continue;
                        parameter = prefix + old;
                        break;
                    }
                }
                policy = fmt::format("{}, {}", parameter, Places(of_transport).find(parameter).text());
            }
            host.tls_by = std::exchange(policy, {});
        } else if (event.what == "login") {
            host.login = event.name == "user"      ? event.value
                         : event.name == "trouble" ? "(the table cannot be read)"
                                                   : "";
            host.login_by = std::exchange(login, {});
        }
    }
}

}  // namespace ekiden::explain
