#include "base/text.hpp"
#include "check/access_keys.hpp"
#include "check/reply_text.hpp"
#include "check/rules.hpp"
#include "mail/address.hpp"

namespace ekiden::check {
namespace {

// The table about one host: its name and parents, then each of its addresses. The error is the table's.
// `kind`: "MX", "NS", or "" where the name itself has been looked up elsewhere.
Task<Result<std::optional<Hit>>> find_host(Evaluation& evaluation, const Restriction& restriction, std::string host,
                                           std::string_view kind, Subject subject)
{
    const Logger& logger = evaluation.data.logger;
    if (!kind.empty()) {
        std::vector<std::string> keys;
        add_domain_keys(keys, host, evaluation.options().matches_parent_domains);
        auto answer = co_await find_first(restriction, std::move(keys), logger);
        if (!answer || *answer) co_return answer;
    }
    bool has_address = false, is_failing = false;
    for (const dns::Type type : {dns::Type::a, dns::Type::aaaa}) {
        const auto addresses = co_await evaluation.data.dns->query(host, type);
        if (!addresses) {
            is_failing = true;
            continue;
        }
        has_address = has_address || !addresses->records.empty();
        for (const auto& record : addresses->records) {
            std::vector<std::string> keys;
            add_address_keys(keys, record.address);
            auto answer = co_await find_first(restriction, std::move(keys), logger);
            if (!answer || *answer) co_return answer;
        }
    }
    if (!kind.empty() && !has_address)
        logger.warning("Unable to look up {} host {} for {} {}: {}", kind, host, class_of(subject),
                       name_of(evaluation.facts, subject),
                       is_failing ? "Temporary failure in name resolution" : "Name or service not known");
    co_return std::nullopt;
}

// The hosts that the DNS names for a domain. A host has no name servers of its own: those of the nearest parent that has
// some stand for it. Trouble is told in the log and names nobody.
Task<std::vector<std::string>> hosts_of(Evaluation& evaluation, std::string name, dns::Type type, Subject subject)
{
    constexpr std::size_t most_hosts = 100;
    std::vector<std::string> hosts;
    std::string domain = name;
    for (;;) {
        const auto answer = co_await evaluation.data.dns->query_dns(domain, type);
        if (!answer) {
            evaluation.data.logger.warning("Unable to look up {} host for {}: {}", dns::name_of(type), domain,
                                           short_reason(answer.error()));
            break;
        }
        for (const auto& record : answer->records) {
            if (!record.name.empty() && hosts.size() < most_hosts) hosts.push_back(record.name);
        }
        if (!answer->records.empty()) break;
        if (type == dns::Type::mx) {
            hosts.push_back(domain);
            break;
        }
        const std::size_t dot = domain.find('.');
        if (dot == std::string::npos || dot + 1 == domain.size()) {
            const auto text = dns::not_found_text(domain, type, answer->absence);
            evaluation.data.logger.warning("Unable to look up {} host for {}: {}", dns::name_of(type),
                                           subject == Subject::client ? evaluation.facts.client_name
                                                                      : name_of(evaluation.facts, subject),
                                           text.substr(text.rfind(": ") + 2));
            break;
        }
        domain.erase(0, dot + 1);
    }
    co_return hosts;
}

}  // namespace

// check_*_mx_access, check_*_ns_access and check_*_a_access: what the DNS says about a name, held against an access table.
Task<Step> check_host_access(Evaluation& evaluation, const Restriction& restriction)
{
    const Facts& facts = evaluation.facts;
    Subject subject = Subject::client;
    std::string name;
    switch (restriction.row->detail & 15) {
        case access_client: name = facts.client_name; break;
        case access_reverse_client:
            subject = Subject::reverse_client;
            name = facts.reverse_client_name;
            break;
        case access_helo:
            subject = Subject::helo;
            name = facts.helo_name;
            break;
        case access_sender:
        case access_recipient: {
            const bool is_sender = (restriction.row->detail & 15) == access_sender;
            subject = is_sender ? Subject::sender : Subject::recipient;
            const auto parts = mail::split_address(is_sender ? facts.sender : facts.recipient);
            name = parts.has_domain ? parts.domain : parts.local;
            break;
        }
        default: break;
    }
    name = base::lower(name);
    if (name.empty() || name == "unknown" || !(mail::is_valid_hostname(name) || name.starts_with('[')))
        co_return Step::dunno;

    std::optional<Hit> found;
    std::vector<std::string> hosts;
    const int detail = restriction.row->detail;
    const std::string_view kind = detail & hosts_mx ? "MX" : detail & hosts_ns ? "NS" : "";
    if (name.starts_with('[')) {
        // A literal stands for its own address, and has no name servers.
        const auto address = net::parse_address(name);
        if (!address || kind == "NS") co_return Step::dunno;
        std::vector<std::string> keys;
        add_address_keys(keys, *address);
        auto answer = co_await find_first(restriction, std::move(keys), evaluation.data.logger);
        if (!answer) co_return refuse_broken_table(evaluation, subject);
        found = std::move(*answer);
    } else if (!kind.empty()) {
        hosts = co_await hosts_of(evaluation, name, detail & hosts_mx ? dns::Type::mx : dns::Type::ns, subject);
    } else {
        hosts.push_back(name);
    }
    for (const std::string& host : hosts) {
        if (found) break;
        auto answer = co_await find_host(evaluation, restriction, host, kind, subject);
        if (!answer) co_return refuse_broken_table(evaluation, subject);
        found = std::move(*answer);
    }
    if (!found) co_return Step::dunno;
    const Step step = co_await apply_action(evaluation, restriction.argument, std::move(found->key),
                                            std::move(found->value), subject);
    if (step != Step::permit) co_return step;
    // Whoever controls that DNS zone could permit himself.
    evaluation.data.logger.warning("restriction {} returns OK for {}", restriction.name, name_of(facts, subject));
    evaluation.data.logger.warning("this is not allowed for security reasons");
    evaluation.data.logger.warning("use DUNNO instead of OK if you want to make an exception");
    co_return refuse(evaluation, configuration_error());
}

}  // namespace ekiden::check
