// What one client may do per time unit. Each call counts one event, and where that is one too many says so in the log and
// to the client; limits.hpp has the lines. Clients in smtpd_client_event_limit_exceptions are not counted at all.
#include "receive/session.hpp"

namespace ekiden::receive {

using Event = ClientTable::Event;

Task<bool> Session::admit_to_count()
{
    if (is_counted_) clients_.disconnect(client_key_, options_.limits.rate_unit);
    is_counted_ = has_limits_ = false;
    connection_count_ = 0;
    client_key_ = ClientTable::key_of(facts_.client_address, options_.limits.ipv4_prefix, options_.limits.ipv6_prefix);
    // Who may speak for others is counted as whom it speaks for.
    if (may_xclient_ || !co_await is_over_limit()) co_return true;
    counters_.refused_clients.fetch_add(1, std::memory_order_relaxed);
    note_trouble(trouble_policy);
    say(421, "4.7.0",
        options_.hostname + " Error: too many connections from " + net::format_address(facts_.client_address));
    co_return false;
}

Task<bool> Session::is_over_limit()
{
    const auto& limits = options_.limits;
    if (!limits.has_any()) co_return false;
    const auto is_exempt = co_await limits.exceptions.matches(facts_.client_name, facts_.client_address);
    if (!is_exempt) {
        // Nobody is exempt by a list that cannot be read; said again when the client goes, as it matters there too.
        limit_trouble_ = is_exempt.error().text();
        log_.warning("{}", limit_trouble_);
    } else if (*is_exempt) co_return false;
    has_limits_ = true;
    const auto counts = clients_.connect(client_key_, limits.rate_unit);
    is_counted_ = true;
    connection_count_ = counts.now;
    if (limits.connection_count > 0 && counts.now > limits.connection_count) {
        log_.warning("Connection concurrency limit exceeded: {} from {} for service {}", counts.now, label_,
                     options_.service_name);
        co_return true;
    }
    if (limits.connection_rate > 0 && counts.rate > limits.connection_rate) {
        log_.warning("Connection rate limit exceeded: {} from {} for service {}", counts.rate, label_,
                     options_.service_name);
        co_return true;
    }
    co_return false;
}

bool Session::is_excess(Event event, int limit, std::string_view what)
{
    if (!has_limits_ || limit <= 0) return false;
    const int rate = clients_.count(client_key_, event, options_.limits.rate_unit);
    if (rate <= limit) return false;
    log_.warning("{} rate limit exceeded: {} from {} for service {}", what, rate, label_, options_.service_name);
    note_trouble(trouble_policy);
    return true;
}

bool Session::refuse_excess_message()
{
    if (!is_excess(Event::message, options_.limits.message_rate, "Message delivery request")) return false;
    say(450, "4.7.1", "Error: too much mail from " + net::format_address(facts_.client_address));
    return true;
}

bool Session::refuse_excess_recipient()
{
    if (!is_excess(Event::recipient, options_.limits.recipient_rate, "Recipient address")) return false;
    say(450, "4.7.1", "Error: too many recipients from " + net::format_address(facts_.client_address));
    return true;
}

bool Session::refuse_excess_auth()
{
    if (!is_excess(Event::authentication, options_.limits.auth_rate, "AUTH command")) return false;
    say(450, "4.7.1", "Error: too many AUTH commands from " + net::format_address(facts_.client_address));
    return true;
}

bool Session::refuse_excess_starttls()
{
    const auto& limits = options_.limits;
    if (!has_limits_ || limits.tls_session_rate <= 0) return false;
    if (clients_.count_so_far(client_key_, Event::tls_session, limits.rate_unit) <= limits.tls_session_rate)
        return false;
    note_trouble(trouble_policy);
    log_.warning("Refusing STARTTLS request from {} for service {}", label_, options_.service_name);
    say(454, "4.7.0", "Error: too many new TLS sessions from " + label_);
    return true;
}

bool Session::end_excess_tls_session()
{
    if (!is_excess(Event::tls_session, options_.limits.tls_session_rate, "New TLS session")) return false;
    say(421, "4.7.0", options_.hostname + " Error: too many new TLS sessions from " + label_);
    return true;
}

}  // namespace ekiden::receive
