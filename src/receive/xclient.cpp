// Those who speak for others. The header of a proxy in front says who the client is, before anything else. XCLIENT, from
// an authorised client, replaces what access rules see and starts the session anew; XFORWARD replaces what is logged
// about the next message only.
#include "base/text.hpp"
#include "mail/address.hpp"
#include "net/proxy_protocol.hpp"
#include "receive/client.hpp"
#include "receive/session.hpp"
#include "smtp/xtext.hpp"

namespace ekiden::receive {

using check::NameStatus;

namespace {

constexpr std::size_t longest_value = 255;

struct Attribute {
    std::string name;      // upper case
    std::string value;     // decoded
    bool is_unavailable = false, is_temporary = false;
};

std::string upper(std::string_view text)
{
    std::string result(text);
    for (char& c : result) c = base::to_upper(c);
    return result;
}

// "NAME=value" words; nothing where one is no attribute.
std::optional<std::vector<Attribute>> parse_attributes(std::string_view text)
{
    std::vector<Attribute> attributes;
    for (const std::string_view word : base::split_any(text, " \t")) {
        const std::size_t equals = word.find('=');
        if (equals == word.npos || equals == 0) return std::nullopt;
        auto value = smtp::decode_xtext(word.substr(equals + 1));
        if (!value || value->empty()) return std::nullopt;
        Attribute attribute{upper(word.substr(0, equals)), std::move(*value)};
        attribute.is_unavailable = base::equal_ignoring_case(attribute.value, "[UNAVAILABLE]");
        attribute.is_temporary = base::equal_ignoring_case(attribute.value, "[TEMPUNAVAIL]");
        attributes.push_back(std::move(attribute));
    }
    return attributes;
}

// What may stand in a log line and in a header.
bool is_harmless(std::string_view value)
{
    return value.size() <= longest_value && base::is_ascii(value) &&
           value.find_first_of(" <>()\\\";@") == value.npos && base::printable(value) == value;
}

std::optional<net::Address> parse_client_address(std::string_view value)
{
    const bool is_v6 = base::starts_with_ignoring_case(value, "IPV6:");
    auto address = net::parse_address(is_v6 ? value.substr(5) : value);
    if (!address || address->is_v6() != is_v6) return std::nullopt;
    return *address;
}

}  // namespace

Task<bool> Session::is_one_of(const table::MatchList& hosts) const
{
    const auto at_once = hosts.matches_at_once(facts_.client_name, facts_.client_address);
    const auto matched = at_once ? *at_once : co_await hosts.matches(facts_.client_name, facts_.client_address);
    co_return matched.value_or(false);
}

Task<bool> Session::hear_proxy()
{
    stream_->set_time_limit(options_.proxy_timeout);
    const auto header = co_await net::read_proxy_header(*stream_);
    if (!header) {
        log_.warning("haproxy read: {}", header.error().text());
        co_return false;
    }
    // Its own health check.
    if (header->is_local) co_return true;
    facts_.client_address = header->client.address;
    facts_.client_port = header->client.port;
    facts_.server_address = header->server.address;
    facts_.server_port = header->server.port;
    co_return true;
}

Task<bool> Session::on_xclient(smtp::Command command)
{
    if (facts_.has_sender) co_return refuse(503, "5.5.1", "Error: MAIL transaction in progress");
    if (command.arguments.empty()) co_return refuse(501, "5.5.4", "Syntax: XCLIENT attribute=value...");
    if (!may_xclient_) co_return refuse(550, "5.7.0", "Error: insufficient authorization");
    const auto attributes = parse_attributes(command.arguments);
    if (!attributes) co_return refuse(501, "5.5.4", "Error: attribute=value expected");

    // All or nothing: a command that is refused has changed nothing.
    check::Facts facts = facts_;
    facts.protocol = "SMTP";
    facts.helo_name.clear();
    // Another client has not logged in because this one has.
    facts.sasl_method.clear();
    facts.sasl_username.clear();
    facts.sasl_sender.clear();
    bool has_name = false;
    for (const Attribute& attribute : *attributes) {
        const auto& [name, value, is_unavailable, is_temporary] = attribute;
        auto bad = [&] {
            return refuse(501, "5.5.4", fmt::format("Bad {} syntax: {}", name, base::printable(value.substr(0, 100))));
        };
        if (name == "NAME" || name == "REVERSE_NAME") {
            const bool is_name = name == "NAME";
            if (!is_unavailable && !is_temporary && (!is_harmless(value) || !mail::is_valid_hostname(value)))
                co_return bad();
            const NameStatus status = is_unavailable ? NameStatus::unknown
                                      : is_temporary ? NameStatus::temporary
                                                     : NameStatus::verified;
            const std::string shown = status == NameStatus::verified ? value : "unknown";
            has_name = has_name || is_name;
            (is_name ? facts.client_name : facts.reverse_client_name) = shown;
            (is_name ? facts.name_status : facts.reverse_name_status) = status;
        } else if (name == "ADDR" || name == "DESTADDR") {
            const auto address = is_unavailable ? std::optional(net::Address()) : parse_client_address(value);
            if (!address) co_return bad();
            (name == "ADDR" ? facts.client_address : facts.server_address) = *address;
        } else if (name == "PORT" || name == "DESTPORT") {
            const auto port =
                is_unavailable ? std::optional<std::uint16_t>(0) : base::parse_number<std::uint16_t>(value);
            if (!port) co_return bad();
            (name == "PORT" ? facts.client_port : facts.server_port) = *port;
        } else if (name == "PROTO") {
            const std::string protocol = upper(value);
            if (protocol != "SMTP" && protocol != "ESMTP") co_return bad();
            facts.protocol = protocol;
        } else if (name == "HELO") {
            // Blanks and brackets in a greeting are made harmless, as those of the client itself are.
            if (!is_unavailable && (value.size() > longest_value || base::printable(value) != value)) co_return bad();
            facts.helo_name = is_unavailable ? std::string() : neutral_name(value);
        } else if (name == "LOGIN") {
            if (!is_unavailable && (value.empty() || value.size() > longest_value || base::printable(value) != value))
                co_return bad();
            facts.sasl_username = is_unavailable ? std::string() : value;
            facts.sasl_method = is_unavailable ? std::string() : "XCLIENT";
        } else {
            co_return refuse(501, "5.5.4",
                             fmt::format("Bad XCLIENT attribute name: {}", base::printable(name.substr(0, 100))));
        }
    }
    // A name without an unverified one beside it: they are the same, as they are for most clients.
    if (has_name && facts.reverse_client_name == facts_.reverse_client_name) {
        facts.reverse_client_name = facts.client_name;
        facts.reverse_name_status = facts.name_status;
    }
    reset_transaction();
    facts_ = std::move(facts);
    reset_transaction();
    is_local_client_.reset();
    forwarded_.reset();
    make_label();
    // Whoever speaks for another may do as that one may; XFORWARD stays the right of who is really connected.
    may_xclient_ = co_await is_one_of(options_.xclient_hosts);
    may_verp_ = co_await is_one_of(options_.verp_clients);
    transcript_.forget_beyond(0);
    if (!co_await admit_to_count()) co_return false;
    co_await admit();
    co_return true;
}

Task<bool> Session::on_xforward(smtp::Command command)
{
    if (facts_.has_sender) co_return refuse(503, "5.5.1", "Error: MAIL transaction in progress");
    if (command.arguments.empty()) co_return refuse(501, "5.5.4", "Syntax: XFORWARD attribute=value...");
    if (!may_xforward_) co_return refuse(550, "5.7.0", "Error: insufficient authorization");
    const auto attributes = parse_attributes(command.arguments);
    if (!attributes) co_return refuse(501, "5.5.4", "Error: attribute=value expected");

    Forwarded forwarded = forwarded_.value_or(Forwarded());
    for (const Attribute& attribute : *attributes) {
        const auto& [name, value, is_unavailable, is_temporary] = attribute;
        auto bad = [&] {
            return refuse(501, "5.5.4", fmt::format("Bad {} syntax: {}", name, base::printable(value.substr(0, 100))));
        };
        if (value.size() > longest_value) co_return refuse(501, "5.5.4", "Error: attribute value too long");
        if (!is_unavailable && (value.empty() || !is_harmless(value))) co_return bad();
        const std::string known = is_unavailable ? std::string() : value;
        if (name == "NAME") forwarded.name = known;
        else if (name == "ADDR") {
            const auto address = is_unavailable ? std::nullopt : parse_client_address(value);
            if (!is_unavailable && !address) co_return bad();
            forwarded.address = address ? net::format_address(*address) : std::string();
        } else if (name == "PORT") {
            if (!is_unavailable && !base::parse_number<std::uint16_t>(value)) co_return bad();
        } else if (name == "PROTO") {
            if (value.size() > 64) co_return bad();
        } else if (name == "HELO") {
            // Believed, and not used: the log names a client by its name and address.
        } else if (name == "IDENT") forwarded.ident = known;
        else if (name == "SOURCE") {
            const std::string source = base::lower(value);
            if (!is_unavailable && source != "local" && source != "remote") co_return bad();
            forwarded.source = is_unavailable ? std::string() : source;
        } else {
            co_return refuse(501, "5.5.4",
                             fmt::format("Bad XFORWARD attribute name: {}", base::printable(name.substr(0, 100))));
        }
    }
    forwarded_ = std::move(forwarded);
    say(250, "2.0.0", "Ok");
    co_return true;
}

}  // namespace ekiden::receive
