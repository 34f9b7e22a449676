#include "base/text.hpp"
#include "check/reply_text.hpp"
#include "check/rules.hpp"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>

namespace ekiden::check {

Task<Step> permit_mynetworks(Evaluation& evaluation, const Restriction&)
{
    const Facts& facts = evaluation.facts;
    auto matched = evaluation.data.mynetworks.matches_at_once(facts.client_name, facts.client_address);
    if (!matched) matched = co_await evaluation.data.mynetworks.matches(facts.client_name, facts.client_address);
    if (!*matched) {
        evaluation.data.logger.warning("{}", matched->error().text());
        co_return refuse(evaluation, lookup_failure(evaluation, evaluation.subject));
    }
    co_return **matched ? Step::permit : Step::dunno;
}

Step permit_inet_interfaces(Evaluation& evaluation, const Restriction&)
{
    const auto& own = evaluation.data.own_addresses;
    return std::ranges::find(own, evaluation.facts.client_address) != own.end() ? Step::permit : Step::dunno;
}

Step permit_sasl_authenticated(Evaluation& evaluation, const Restriction&)
{
    return evaluation.options().has_sasl && !evaluation.facts.sasl_username.empty() ? Step::permit : Step::dunno;
}

namespace {

Refusal no_name(const Evaluation& evaluation, NameStatus status, std::string_view enhanced, std::string_view what)
{
    const int configured = evaluation.options().unknown_client_code;
    const int code = status == NameStatus::temporary ? 450 : configured;
    std::string fitted(enhanced);
    fitted[0] = static_cast<char>('0' + code / 100);
    return {Fault::policy, code, std::move(fitted),
            fmt::format("Client host rejected: cannot find your {}, [{}]", what,
                        net::format_address(evaluation.facts.client_address))};
}

}  // namespace

Step reject_unknown_client(Evaluation& evaluation, const Restriction&)
{
    const NameStatus status = evaluation.facts.name_status;
    if (status == NameStatus::verified) return Step::dunno;
    return refuse(evaluation, no_name(evaluation, status, "4.7.25", "hostname"));
}

Step reject_unknown_reverse_client(Evaluation& evaluation, const Restriction&)
{
    const NameStatus status = evaluation.facts.reverse_name_status;
    if (status == NameStatus::verified) return Step::dunno;
    return refuse(evaluation, no_name(evaluation, status, "4.7.1", "reverse hostname"));
}

Step reject_plaintext_session(Evaluation& evaluation, const Restriction&)
{
    if (evaluation.facts.is_encrypted) return Step::dunno;
    const int code = evaluation.options().plaintext_code;
    return refuse(evaluation,
                  Refusal{Fault::policy, code, fmt::format("{}.7.1", code / 100), "Session encryption is required"});
}

Step reject_unauth_pipelining(Evaluation& evaluation, const Restriction&)
{
    if (!evaluation.facts.has_pipelined_early) return Step::dunno;
    return refuse(evaluation,
                  rejected(evaluation, evaluation.subject, 503, "5.5.0", "Improper use of SMTP command pipelining"));
}

std::vector<net::Address> find_own_addresses(const config::Settings& settings)
{
    std::vector<net::Address> own;
    std::vector<std::string> names = settings.list("inet_interfaces");
    const bool is_all = std::ranges::find(names, "all") != names.end();
    const bool is_loopback = std::ranges::find(names, "loopback-only") != names.end();
    if (is_all || is_loopback) {
        ifaddrs* first = nullptr;
        if (::getifaddrs(&first) == 0) {
            for (const ifaddrs* at = first; at; at = at->ifa_next) {
                if (!at->ifa_addr) continue;
                net::Address address;
                if (at->ifa_addr->sa_family == AF_INET) {
                    const auto* in = reinterpret_cast<const sockaddr_in*>(at->ifa_addr);
                    address = asio::ip::address_v4(ntohl(in->sin_addr.s_addr));
                } else if (at->ifa_addr->sa_family == AF_INET6) {
                    const auto* in = reinterpret_cast<const sockaddr_in6*>(at->ifa_addr);
                    asio::ip::address_v6::bytes_type bytes;
                    std::copy(std::begin(in->sin6_addr.s6_addr), std::end(in->sin6_addr.s6_addr), bytes.begin());
                    address = asio::ip::address_v6(bytes);
                } else {
                    continue;
                }
                if (is_all || address.is_loopback()) own.push_back(address);
            }
            ::freeifaddrs(first);
        }
    }
    for (const std::string& name : names) {
        if (auto address = net::parse_address(name)) own.push_back(*address);
    }
    for (const std::string& name : settings.list("proxy_interfaces")) {
        if (auto address = net::parse_address(name)) own.push_back(*address);
    }
    return own;
}

}  // namespace ekiden::check
