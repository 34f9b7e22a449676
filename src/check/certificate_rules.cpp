// What a client certificate permits. The session says what the client showed (facts); whether it may come with any
// certificate at all is TLS's business.
#include "base/text.hpp"
#include "check/access_keys.hpp"
#include "check/reply_text.hpp"
#include "check/rules.hpp"

namespace ekiden::check {
namespace {

constexpr std::string Facts::*both_fingerprints[] = {&Facts::ccert_fingerprint, &Facts::ccert_pubkey_fingerprint};

// Without smtpd_tls_ask_ccert no client shows a certificate: the rule can never permit anybody.
bool has_certificates(const Evaluation& evaluation, const Restriction& restriction)
{
    if (evaluation.options().asks_for_certificates) return true;
    evaluation.data.logger.warning("{} is requested, but \"smtpd_tls_ask_ccert = no\"", restriction.row->name);
    return false;
}

}  // namespace

Step permit_all_certificates(Evaluation& evaluation, const Restriction& restriction)
{
    if (!evaluation.facts.is_encrypted || !has_certificates(evaluation, restriction)) return Step::dunno;
    return evaluation.facts.is_ccert_verified ? Step::permit : Step::dunno;
}

Task<Step> permit_certificates(Evaluation& evaluation, const Restriction& restriction)
{
    if (!evaluation.facts.is_encrypted || !has_certificates(evaluation, restriction)) co_return Step::dunno;
    for (const auto member : both_fingerprints) {
        const std::string& fingerprint = evaluation.facts.*member;
        if (fingerprint.empty() || evaluation.data.relay_clientcerts.is_empty()) continue;
        const auto found = co_await evaluation.data.relay_clientcerts.find(fingerprint, &evaluation.data.logger);
        if (!found) co_return refuse(evaluation, lookup_failure(evaluation, evaluation.subject));
        if (*found) co_return Step::permit;
    }
    co_return Step::dunno;
}

Task<Step> check_certificate_access(Evaluation& evaluation, const Restriction& restriction)
{
    if (!has_certificates(evaluation, restriction)) co_return Step::dunno;
    for (const auto member : restriction.fingerprints) {
        std::vector<std::string> keys{evaluation.facts.*member};
        if (keys.front().empty()) continue;
        auto hit = co_await find_first(restriction, std::move(keys), evaluation.data.logger);
        if (!hit) co_return refuse_broken_table(evaluation, Subject::client_certificate);
        if (!*hit) continue;
        // What was found decides, also when it says DUNNO.
        co_return co_await apply_action(evaluation, restriction.argument, std::move((*hit)->key),
                                        std::move((*hit)->value), Subject::client_certificate);
    }
    co_return Step::dunno;
}

Result<CertificateTable> parse_certificate_table(std::string_view argument)
{
    constexpr std::string_view name = "check_ccert_access";
    argument = base::trim(argument);
    CertificateTable parsed;
    if (!argument.starts_with('{')) {
        parsed.table = argument;
        parsed.fingerprints.assign(std::begin(both_fingerprints), std::end(both_fingerprints));
        return parsed;
    }
    auto wrong = [&](std::string_view what) {
        return fail(ErrorCode::syntax, fmt::format("restriction {}: bad argument \"{}\": {}", name, argument, what));
    };
    if (!argument.ends_with('}')) return wrong("no closing brace");
    const auto parts = base::split_quoted_braces(argument.substr(1, argument.size() - 2), ", \t\r\n");
    if (parts.empty()) return wrong("need maptype:mapname");
    parsed.table = parts.front();
    for (std::string_view part : std::span(parts).subspan(1)) {
        if (part.starts_with('{') && part.ends_with('}')) part = base::trim(part.substr(1, part.size() - 2));
        const std::size_t equals = part.find('=');
        if (equals == std::string_view::npos || base::trim(part.substr(0, equals)) != "search_order")
            return wrong("need search_order = …");
        parsed.fingerprints.clear();
        for (std::string_view word : base::split_any(part.substr(equals + 1), ", \t\r\n")) {
            if (word == "cert_fingerprint") parsed.fingerprints.push_back(&Facts::ccert_fingerprint);
            else if (word == "pubkey_fingerprint") parsed.fingerprints.push_back(&Facts::ccert_pubkey_fingerprint);
            else return wrong("search_order knows cert_fingerprint and pubkey_fingerprint");
        }
        if (parsed.fingerprints.empty()) return wrong("search_order is empty");
    }
    if (parsed.fingerprints.empty())
        parsed.fingerprints.assign(std::begin(both_fingerprints), std::end(both_fingerprints));
    return parsed;
}

}  // namespace ekiden::check
