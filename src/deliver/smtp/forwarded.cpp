#include "deliver/smtp/forwarded.hpp"

#include "base/text.hpp"
#include "mail/queue_id.hpp"
#include "smtp/xtext.hpp"

#include <algorithm>
#include <utility>

namespace ekiden::deliver::smtp {

namespace {

// What is not known is not said: the peer keeps "unknown" for it.
bool is_known(const std::string& value) { return !value.empty() && value != "unknown" && value != "0"; }

std::string command(std::initializer_list<std::pair<std::string_view, std::string>> attributes,
                    const ekiden::smtp::Offer& offer)
{
    const auto announced = base::split_any(offer.forwarded, " \t");
    std::string line;
    for (const auto& [name, value] : attributes) {
        const bool is_wanted = std::ranges::any_of(
            announced, [&](std::string_view word) { return base::equal_ignoring_case(word, name); });
        if (is_wanted && is_known(value))
            line.append(" ").append(name).append("=").append(ekiden::smtp::encode_xtext(value));
    }
    return line.empty() ? line : "XFORWARD" + line + "\r\n";
}

}  // namespace

ForwardCommands forward_commands(const mail::Envelope& envelope, const ekiden::smtp::Offer& offer)
{
    ForwardCommands commands;
    if (!offer.has(ekiden::smtp::ext_xforward)) return commands;
    const mail::Origin& from = envelope.origin;
    const bool is_v6 = from.client_address.find(':') != from.client_address.npos;
    commands.address = command({{"NAME", from.client_name},
                                {"ADDR", is_v6 ? "IPv6:" + from.client_address : from.client_address},
                                {"PORT", from.client_port}},
                               offer);
    commands.session = command({{"PROTO", from.protocol},
                                {"HELO", from.helo_name},
                                {"IDENT", from.log_ident.empty() ? mail::format(envelope.id) : from.log_ident},
                                {"SOURCE", from.rewrite_context == "local" ? "LOCAL" : "REMOTE"}},
                               offer);
    return commands;
}

}  // namespace ekiden::deliver::smtp
