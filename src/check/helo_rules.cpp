#include "base/text.hpp"
#include "check/reply_text.hpp"
#include "check/rules.hpp"
#include "dns/filtered.hpp"
#include "mail/address.hpp"

namespace ekiden::check {
namespace {

bool is_literal(std::string_view name) { return name.starts_with('['); }

// As it goes over the wire: a name in UTF-8 is none.
bool is_host_name(std::string_view name) { return base::is_ascii(name) && mail::is_valid_hostname(name); }

std::string_view without_final_dot(std::string_view name)
{
    if (name.size() > 1 && name.ends_with('.')) name.remove_suffix(1);
    return name;
}

Step check_literal(Evaluation& evaluation)
{
    if (mail::is_valid_address_literal(evaluation.facts.helo_name)) return Step::dunno;
    return refuse(evaluation, rejected(evaluation, Subject::helo, evaluation.options().invalid_hostname_code, "5.5.2",
                                       "invalid ip address"));
}

}  // namespace

Step reject_invalid_helo(Evaluation& evaluation, const Restriction&)
{
    const std::string& helo = evaluation.facts.helo_name;
    if (helo.empty()) return Step::dunno;
    if (is_literal(helo)) return check_literal(evaluation);
    const std::string_view name = without_final_dot(helo);
    if (is_host_name(name) || net::parse_address(name)) return Step::dunno;
    return refuse(evaluation, rejected(evaluation, Subject::helo, evaluation.options().invalid_hostname_code, "5.5.2",
                                       "Invalid name"));
}

Step reject_non_fqdn_helo(Evaluation& evaluation, const Restriction&)
{
    const std::string& helo = evaluation.facts.helo_name;
    if (helo.empty()) return Step::dunno;
    if (is_literal(helo)) return check_literal(evaluation);
    const std::string_view name = without_final_dot(helo);
    if (is_host_name(name) && name.find('.') != std::string_view::npos && !net::parse_address(name))
        return Step::dunno;
    return refuse(evaluation, rejected(evaluation, Subject::helo, evaluation.options().non_fqdn_code, "5.5.2",
                                       "need fully-qualified hostname"));
}

Task<Step> reject_unknown_helo(Evaluation& evaluation, const Restriction&)
{
    const std::string& helo = evaluation.facts.helo_name;
    if (helo.empty()) co_return Step::dunno;
    if (is_literal(helo)) co_return check_literal(evaluation);
    bool is_failing = false, is_filtered = false;
    for (const dns::Type type : {dns::Type::a, dns::Type::aaaa, dns::Type::mx}) {
        const auto answer = co_await evaluation.data.dns->query_dns(helo, type);
        if (!answer) (dns::is_all_filtered(answer.error()) ? is_filtered : is_failing) = true;
        else if (!answer->records.empty()) co_return Step::dunno;
    }
    if (is_filtered && !is_failing) {
        // There is such a host, whatever the filter left of it.
        evaluation.data.logger.warning("{}: address or MX lookup error: DNS reply filter drops all results", helo);
        co_return Step::dunno;
    }
    const int code = is_failing ? 450 : evaluation.options().unknown_hostname_code;
    Refusal refusal = rejected(evaluation, Subject::helo, code, "4.7.1", "Host not found");
    if (is_failing && !evaluation.options().defers_unknown_helo)
        co_return defer_if_permit(evaluation, std::move(refusal));
    co_return refuse(evaluation, std::move(refusal));
}

Step permit_naked_ip_address(Evaluation& evaluation, const Restriction&)
{
    return net::parse_address(evaluation.facts.helo_name) ? Step::permit : Step::dunno;
}

}  // namespace ekiden::check
