#include "base/text.hpp"
#include "check/access_keys.hpp"
#include "check/reply_text.hpp"
#include "check/rules.hpp"

namespace ekiden::check {
namespace {

Task<Step> look_up(Evaluation& evaluation, const Restriction& restriction, std::vector<std::string> keys,
                   Subject subject)
{
    auto answer = co_await find_first(restriction, std::move(keys), evaluation.data.logger);
    if (!answer) co_return refuse_broken_table(evaluation, subject);
    if (!*answer) co_return Step::dunno;
    co_return co_await apply_action(evaluation, restriction.argument, std::move((*answer)->key),
                                    std::move((*answer)->value), subject);
}

int key_of_list(Subject subject)
{
    switch (subject) {
        case Subject::client: return access_client;
        case Subject::helo: return access_helo;
        case Subject::sender: return access_sender;
        case Subject::recipient: return access_recipient;
        case Subject::etrn: return access_etrn;
        default: return access_list;
    }
}

// The address as the resolver sees it, folded for look-up.
Task<Result<std::string>> resolved_address(Evaluation& evaluation, bool is_sender)
{
    const auto* route = is_sender ? co_await sender_route(evaluation) : co_await recipient_route(evaluation);
    if (!*route) co_return std::unexpected(route->error());
    co_return base::lower((*route)->recipient);
}

}  // namespace

Task<Step> check_access(Evaluation& evaluation, const Restriction& restriction)
{
    const Facts& facts = evaluation.facts;
    const Options& options = evaluation.options();
    std::vector<std::string> keys;
    int key = restriction.row->detail;
    if (key == access_list) key = key_of_list(evaluation.subject);
    switch (key) {
        case access_client:
            // Name and its parents first, then the address and its networks. A table of patterns sees both whole.
            if (restriction.has_patterns) {
                const Step step = co_await look_up(evaluation, restriction, {facts.client_name}, Subject::client);
                if (step != Step::dunno) co_return step;
                co_return co_await look_up(evaluation, restriction, {net::format_address(facts.client_address)},
                                           Subject::client);
            }
            add_domain_keys(keys, base::lower(facts.client_name), options.matches_parent_domains);
            add_address_keys(keys, facts.client_address);
            co_return co_await look_up(evaluation, restriction, std::move(keys), Subject::client);
        case access_reverse_client:
            add_domain_keys(keys, base::lower(facts.reverse_client_name), options.matches_parent_domains);
            co_return co_await look_up(evaluation, restriction, std::move(keys), Subject::reverse_client);
        case access_helo:
            if (facts.helo_name.empty()) co_return Step::dunno;
            add_domain_keys(keys, base::lower(facts.helo_name), options.matches_parent_domains);
            co_return co_await look_up(evaluation, restriction, std::move(keys), Subject::helo);
        case access_etrn:
            if (facts.etrn_domain.empty()) co_return Step::dunno;
            add_domain_keys(keys, base::lower(facts.etrn_domain), options.matches_parent_domains);
            co_return co_await look_up(evaluation, restriction, std::move(keys), Subject::etrn);
        case access_sasl:
            if (!options.has_sasl)
                evaluation.data.logger.warning("restriction `{}' ignored: no SASL support", restriction.name);
            if (!options.has_sasl || facts.sasl_username.empty()) co_return Step::dunno;
            keys.push_back(facts.sasl_username);
            co_return co_await look_up(evaluation, restriction, std::move(keys), Subject::sasl_login);
        case access_sender:
        case access_recipient: {
            const bool is_sender = key == access_sender;
            const Subject subject = is_sender ? Subject::sender : Subject::recipient;
            if (is_sender ? !facts.has_sender : facts.recipient.empty()) co_return Step::dunno;
            if (is_sender && facts.sender.empty()) {
                keys.push_back(options.null_access_key);
                co_return co_await look_up(evaluation, restriction, std::move(keys), subject);
            }
            const auto address = co_await resolved_address(evaluation, is_sender);
            if (!address) {
                warn_of_trouble(evaluation, address.error());
                co_return refuse(evaluation, lookup_failure(evaluation, subject));
            }
            if (address->find('@') == std::string::npos) co_return Step::dunno;
            add_mail_keys(keys, *address, options);
            co_return co_await look_up(evaluation, restriction, std::move(keys), subject);
        }
        default:
            evaluation.data.logger.warning(
                "specify one of (check_client_access, check_reverse_client_hostname_access, check_helo_access, check_sender_access, "
                "check_recipient_access, check_etrn_access) before {} restriction \"{}\"",
                class_of(evaluation.subject), restriction.argument);
            co_return refuse(evaluation, configuration_error());
    }
}

}  // namespace ekiden::check
