#include "base/text.hpp"
#include "check/reply_text.hpp"
#include "check/rules.hpp"
#include "dns/filtered.hpp"
#include "mail/address.hpp"

namespace ekiden::check {
namespace {

Subject subject_of(const Restriction& restriction) { return static_cast<Subject>(restriction.row->detail); }

// Nothing to check: no sender or recipient has been given yet, or it is the null sender.
const std::string* address_of(const Evaluation& evaluation, Subject subject)
{
    const Facts& facts = evaluation.facts;
    if (subject == Subject::sender) return facts.has_sender && !facts.sender.empty() ? &facts.sender : nullptr;
    return facts.recipient.empty() ? nullptr : &facts.recipient;
}

}  // namespace

Step reject_non_fqdn_address(Evaluation& evaluation, const Restriction& restriction)
{
    const Subject subject = subject_of(restriction);
    const std::string* address = address_of(evaluation, subject);
    if (!address) return Step::dunno;
    const auto parts = mail::split_address(*address);
    // RFC 5321 4.5.1: <postmaster> without a domain must be taken.
    if (subject == Subject::recipient && !parts.has_domain && base::equal_ignoring_case(*address, "postmaster"))
        return Step::dunno;
    std::string_view domain = parts.domain;
    if (domain.ends_with('.')) domain.remove_suffix(1);
    const bool is_literal = domain.starts_with('[') && mail::is_valid_address_literal(domain);
    const bool is_ascii_fqdn =
        domain.find('.') != std::string_view::npos &&
        (mail::is_valid_hostname(domain) || (!base::is_ascii(domain) && mail::to_ascii_domain(domain)));
    if (parts.has_domain && (is_literal || is_ascii_fqdn)) return Step::dunno;
    return refuse(evaluation, rejected(evaluation, subject, evaluation.options().non_fqdn_code, "5.5.2",
                                       "need fully-qualified address"));
}

Task<Step> reject_unknown_domain(Evaluation& evaluation, const Restriction& restriction)
{
    const Subject subject = subject_of(restriction);
    if (!address_of(evaluation, subject)) co_return Step::dunno;
    const auto* route =
        subject == Subject::sender ? co_await sender_route(evaluation) : co_await recipient_route(evaluation);
    if (!*route) {
        warn_of_trouble(evaluation, route->error());
        co_return refuse(evaluation, lookup_failure(evaluation, subject));
    }
    // Where we are the final destination, the domain need not be in the DNS.
    using rewrite::AddressClass;
    const AddressClass kind = (*route)->address_class;
    if (kind == AddressClass::local || kind == AddressClass::virtual_alias || kind == AddressClass::virtual_mailbox)
        co_return Step::dunno;
    const auto parts = mail::split_address((*route)->recipient);
    if (!parts.has_domain || parts.domain.empty() || parts.domain.starts_with('[')) co_return Step::dunno;
    const std::string domain = mail::to_ascii_domain(parts.domain).value_or(base::lower(parts.domain));

    bool is_failing = false, is_filtered = false;
    for (const dns::Type type : {dns::Type::mx, dns::Type::a, dns::Type::aaaa}) {
        const auto answer = co_await evaluation.data.dns->query_dns(domain, type);
        if (!answer) {
            (dns::is_all_filtered(answer.error()) ? is_filtered : is_failing) = true;
            continue;
        }
        if (answer->records.empty()) continue;
        const bool is_null_mx =
            type == dns::Type::mx && answer->records.size() == 1 && answer->records.front().name.empty();
        if (!is_null_mx) co_return Step::dunno;
        const bool is_sender = subject == Subject::sender;
        Refusal refusal = rejected(evaluation, subject, is_sender ? 550 : 556, is_sender ? "5.7.27" : "5.1.10",
                                   fmt::format("Domain {} does not accept mail (nullMX)", domain));
        refusal.enhanced = is_sender ? "5.7.27" : "5.1.10";
        co_return refuse(evaluation, std::move(refusal));
    }
    if (is_filtered && !is_failing) {
        // There is such a domain, whatever the filter left of it.
        evaluation.data.logger.warning("{}: MX or address lookup error: DNS reply filter drops all results", domain);
        co_return Step::dunno;
    }
    const int code = is_failing ? 450 : evaluation.options().unknown_address_code;
    Refusal refusal =
        rejected(evaluation, subject, code, subject == Subject::sender ? "4.1.8" : "4.1.2", "Domain not found");
    if (is_failing && !evaluation.options().defers_unknown_address)
        co_return defer_if_permit(evaluation, std::move(refusal));
    co_return refuse(evaluation, std::move(refusal));
}

namespace {

// The names of those who own the sender address, as smtpd_sender_login_maps says; nothing when nobody does.
Task<Result<std::optional<std::string>>> find_owners(Evaluation& evaluation)
{
    const auto* route = co_await sender_route(evaluation);
    if (!*route) co_return std::unexpected(route->error());
    table::Maps::AddressOptions options;
    options.recipient_delimiter = evaluation.options().recipient_delimiter;
    std::string address = base::lower((*route)->recipient);
    std::string domain(mail::split_address(address).domain);
    const auto is_local = co_await evaluation.data.resolver->is_local_domain(std::move(domain));
    if (!is_local) co_return std::unexpected(is_local.error());
    options.is_local_domain = *is_local;
    auto found =
        co_await evaluation.data.sender_login_maps.find_address(std::move(address), options, &evaluation.data.logger);
    if (!found) co_return std::unexpected(std::move(found).error());
    if (!*found) co_return std::nullopt;
    co_return std::move((*found)->value);
}

}  // namespace

Task<Step> reject_login_mismatch(Evaluation& evaluation, const Restriction& restriction)
{
    const int which = restriction.row->detail;
    if (!evaluation.options().has_sasl) {
        auto ignore = [&](std::string_view name) {
            evaluation.data.logger.warning("restriction `{}' ignored: no SASL support", name);
        };
        if (which == login_both) {
            ignore("reject_authenticated_sender_login_mismatch");
            ignore("reject_unauthenticated_sender_login_mismatch");
        } else {
            ignore(restriction.name);
        }
        co_return Step::dunno;
    }
    const Facts& facts = evaluation.facts;
    if (!facts.has_sender || facts.sender.empty()) co_return Step::dunno;
    const bool is_logged_in = !facts.sasl_username.empty();
    if ((which == login_authenticated && !is_logged_in) || (which == login_unauthenticated && is_logged_in))
        co_return Step::dunno;

    const auto owners = co_await find_owners(evaluation);
    if (!owners) {
        warn_of_trouble(evaluation, owners.error());
        co_return refuse(evaluation, lookup_failure(evaluation, Subject::sender));
    }
    if (!*owners && (which == login_known || !is_logged_in)) co_return Step::dunno;
    if (!is_logged_in)
        co_return refuse(evaluation, rejected(evaluation, Subject::sender, 553, "5.7.1", "not logged in"));
    if (*owners) {
        for (std::string_view owner : base::split_any(**owners)) {
            if (base::equal_ignoring_case(owner, facts.sasl_username)) co_return Step::dunno;
        }
    }
    co_return refuse(evaluation,
                     rejected(evaluation, Subject::sender, 553, "5.7.1", "not owned by user " + facts.sasl_username));
}

}  // namespace ekiden::check
