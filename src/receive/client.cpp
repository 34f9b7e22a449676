#include "receive/client.hpp"

#include "mail/address.hpp"

#include <algorithm>

namespace ekiden::receive {

using check::NameStatus;

Task<void> verify_client_name(check::Facts& facts, dns::Resolver& resolver, const Logger& logger)
{
    facts.client_name = facts.reverse_client_name = "unknown";
    const auto pointer = co_await resolver.query(dns::reverse_name(facts.client_address), dns::Type::ptr);
    if (!pointer) {
        facts.name_status = facts.reverse_name_status = NameStatus::temporary;
        co_return;
    }
    const auto record = std::ranges::find(pointer->records, dns::Type::ptr, &dns::Record::type);
    facts.name_status = facts.reverse_name_status = NameStatus::unknown;
    if (record == pointer->records.end()) co_return;
    const std::string name = record->name;
    if (net::parse_address(name)) {
        logger.warning("numeric hostname: {}", name);
        co_return;
    }
    if (!mail::is_valid_hostname(name)) co_return;
    facts.reverse_client_name = name;
    facts.reverse_name_status = NameStatus::verified;

    // The PTR belongs to whoever has the address; the name belongs to somebody else. Only both together prove anything.
    const auto type = facts.client_address.is_v4() ? dns::Type::a : dns::Type::aaaa;
    const std::string address = net::format_address(facts.client_address);
    const auto forward = co_await resolver.query(name, type);
    if (!forward) {
        logger.warning("hostname {} does not resolve to address {}: Temporary failure in name resolution", name,
                       address);
        facts.name_status = NameStatus::temporary;
        co_return;
    }
    facts.name_status = NameStatus::forged;
    if (forward->records.empty()) {
        logger.warning("hostname {} does not resolve to address {}: {}", name, address,
                       forward->absence == dns::Absence::no_such_name ? "Name or service not known"
                                                                       : "No address associated with hostname");
        co_return;
    }
    const bool is_his = std::ranges::any_of(
        forward->records, [&](const dns::Record& r) { return r.type == type && r.address == facts.client_address; });
    if (!is_his) {
        logger.warning("hostname {} does not resolve to address {}", name, address);
        co_return;
    }
    facts.client_name = name;
    facts.name_status = NameStatus::verified;
}

}  // namespace ekiden::receive
