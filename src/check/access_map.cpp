#include "base/text.hpp"
#include "check/reply_text.hpp"
#include "check/rules.hpp"
#include "mail/address.hpp"

#include <functional>

namespace ekiden::check {
namespace {

// --- Keys, in the order of access(5).

void add_domain_keys(std::vector<std::string>& keys, std::string_view domain, bool matches_parents)
{
    keys.emplace_back(domain);
    if (domain.starts_with('[')) return;
    for (std::size_t dot = domain.find('.', 1); dot != std::string_view::npos; dot = domain.find('.', dot + 1))
        keys.emplace_back(domain.substr(matches_parents ? dot + 1 : dot));
}

// 192.0.2.1, 192.0.2, 192.0, 192; 2001:db8::1, 2001:db8:, …
void add_address_keys(std::vector<std::string>& keys, const net::Address& address)
{
    std::string text = net::format_address(address);
    const char separator = address.is_v4() ? '.' : ':';
    while (!text.empty()) {
        keys.push_back(text);
        const std::size_t last = text.rfind(separator);
        if (last == std::string::npos) break;
        text.resize(last);
        while (text.ends_with(separator)) text.pop_back();
    }
}

// user+ext@domain, user@domain, domain and its parents, user+ext@, user@
void add_mail_keys(std::vector<std::string>& keys, const std::string& address, const Options& options)
{
    const auto parts = mail::split_address(address);
    const auto [user, extension] = mail::split_extension(parts.local, options.recipient_delimiter);
    keys.push_back(address);
    if (!extension.empty()) keys.push_back(fmt::format("{}@{}", user, parts.domain));
    add_domain_keys(keys, parts.domain, options.matches_parent_domains);
    keys.push_back(fmt::format("{}@", parts.local));
    if (!extension.empty()) keys.push_back(fmt::format("{}@", user));
}

struct Hit {
    std::string key, value;
};

// Asks the table for one key after the other; a table of patterns only sees the first, whole one.
Task<Result<std::optional<Hit>>> find_first(const Restriction& restriction, std::vector<std::string> keys, const Logger& logger)
{
    for (std::string& key : keys) {
        auto answer = co_await restriction.table.find(key, &logger);
        if (!answer) co_return std::unexpected(std::move(answer).error());
        if (*answer) co_return Hit{std::move(key), std::move(**answer)};
        if (restriction.has_patterns) break;
    }
    co_return std::nullopt;
}

Step refuse_broken_table(Evaluation& evaluation, Subject subject)
{
    return refuse(evaluation, rejected(evaluation, subject, 451, "4.3.5", "Server configuration error", Fault::data));
}

Task<Step> look_up(Evaluation& evaluation, const Restriction& restriction, std::vector<std::string> keys, Subject subject)
{
    auto answer = co_await find_first(restriction, std::move(keys), evaluation.data.logger);
    if (!answer) co_return refuse_broken_table(evaluation, subject);
    if (!*answer) co_return Step::dunno;
    co_return co_await apply_action(evaluation, restriction.argument, std::move((*answer)->key), std::move((*answer)->value), subject);
}

// --- Actions.

struct Action {
    Evaluation& evaluation;
    Subject subject;
    const std::string& table;
    const std::string& key;
    std::string_view text;      // what follows the word, trimmed
};

Step warn_of_entry(const Action& action, std::string_view what)
{
    action.evaluation.data.logger.warning("access table {} entry \"{}\" {}", action.table, action.key, what);
    return Step::dunno;
}

Refusal refusal_of(const Action& action, int code, std::string_view enhanced, std::string_view default_text)
{
    auto [status, text] = split_enhanced(action.text, enhanced);
    return rejected(action.evaluation, action.subject, code, status, text.empty() ? default_text : std::string_view(text));
}

std::string label(const Action& action) { return fmt::format("<{}>: {}", name_of(action.evaluation.facts, action.subject), class_of(action.subject)); }

Step do_ok(const Action&) { return Step::permit; }
Step do_dunno(const Action&) { return Step::dunno; }

Step do_reject_action(const Action& action)
{
    return refuse(action.evaluation, refusal_of(action, action.evaluation.options().access_map_reject_code, "5.7.1", "Access denied"));
}

Step do_defer_action(const Action& action)
{
    return refuse(action.evaluation, refusal_of(action, action.evaluation.options().access_map_defer_code, "4.7.1", "Access denied"));
}

Step do_defer_if_permit_action(const Action& action)
{
    return defer_if_permit(action.evaluation, refusal_of(action, action.evaluation.options().access_map_defer_code, "4.7.1", "Service unavailable"));
}

Step do_defer_if_reject_action(const Action& action)
{
    return defer_if_reject(action.evaluation, refusal_of(action, action.evaluation.options().access_map_defer_code, "4.7.1", "Service unavailable"));
}

Step do_warn(const Action& action)
{
    log_event(action.evaluation, "warn", action.text);
    return Step::dunno;
}

Step do_info(const Action& action)
{
    log_event(action.evaluation, "info", action.text);
    return Step::dunno;
}

bool is_dry_run(const Action& action, std::string_view what)
{
    if (!action.evaluation.only_warns) return false;
    log_event(action.evaluation, "reject_warning", fmt::format("{} {}", label(action), what));
    return true;
}

Step do_discard(const Action& action)
{
    log_event(action.evaluation, "discard", fmt::format("{} {}", label(action), action.text.empty() ? "triggers DISCARD action" : action.text));
    action.evaluation.verdict.discards = true;
    return Step::permit;
}

Step do_hold(const Action& action)
{
    log_event(action.evaluation, "hold", fmt::format("{} {}", label(action), action.text.empty() ? "triggers HOLD action" : action.text));
    action.evaluation.verdict.holds = true;
    return Step::dunno;
}

Step do_filter(const Action& action)
{
    if (action.text.empty()) return warn_of_entry(action, "has FILTER entry without value");
    if (action.text.find(':') == std::string_view::npos) return warn_of_entry(action, "requires transport:destination");
    log_event(action.evaluation, "filter", fmt::format("{} triggers FILTER {}", label(action), action.text));
    action.evaluation.verdict.filter = action.text;
    return Step::dunno;
}

Step do_redirect(const Action& action)
{
    if (action.text.find('@') == std::string_view::npos) return warn_of_entry(action, "requires user@domain target");
    log_event(action.evaluation, "redirect", fmt::format("{} triggers REDIRECT {}", label(action), action.text));
    action.evaluation.verdict.redirect = action.text;
    return Step::dunno;
}

Step do_bcc(const Action& action)
{
    if (action.text.find('@') == std::string_view::npos) return warn_of_entry(action, "requires user@domain target");
    log_event(action.evaluation, "bcc", fmt::format("{} triggers BCC {}", label(action), action.text));
    action.evaluation.verdict.bcc.emplace_back(action.text);
    return Step::dunno;
}

Step do_prepend(const Action& action)
{
    const std::size_t colon = action.text.find(':');
    if (colon == std::string_view::npos || colon == 0) return warn_of_entry(action, "requires header: text");
    if (action.evaluation.stage == Stage::end_of_data) {
        action.evaluation.data.logger.warning("access table {}: action PREPEND must be used before END-OF-MESSAGE", action.table);
        return Step::dunno;
    }
    action.evaluation.verdict.prepend.emplace_back(action.text);
    return Step::dunno;
}

struct ActionRow {
    std::string_view word;
    Step (*run)(const Action&);
    bool changes_message = false;     // only told about under warn_if_reject
};

constexpr ActionRow actions[] = {
    {"OK", do_ok},
    {"RELAY", do_ok},
    {"DUNNO", do_dunno},
    {"REJECT", do_reject_action},
    {"DEFER", do_defer_action},
    {"DEFER_IF_PERMIT", do_defer_if_permit_action},
    {"DEFER_IF_REJECT", do_defer_if_reject_action},
    {"WARN", do_warn},
    {"INFO", do_info},
    {"DISCARD", do_discard, true},
    {"HOLD", do_hold, true},
    {"FILTER", do_filter, true},
    {"REDIRECT", do_redirect, true},
    {"BCC", do_bcc, true},
    {"PREPEND", do_prepend, true},
};

bool is_numeric(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos; }

}  // namespace

Task<Step> apply_action(Evaluation& evaluation, std::string table, std::string key, std::string value, Subject subject)
{
    const std::string_view whole = base::trim(value);
    const std::size_t space = whole.find_first_of(" \t");
    const std::string_view word = whole.substr(0, space);
    const std::string_view text = space == std::string_view::npos ? std::string_view() : base::trim(whole.substr(space));
    const Action action{evaluation, subject, table, key, text};
    for (const ActionRow& row : actions) {
        if (!base::equal_ignoring_case(row.word, word)) continue;
        if (row.changes_message && is_dry_run(action, fmt::format("triggers {}", whole))) co_return Step::dunno;
        const Step step = row.run(action);
        if (step == Step::permit) log_permit(evaluation, word, subject, table);
        co_return step;
    }
    // Numbers alone were written by authentication tools of old and mean OK.
    if (is_numeric(whole)) {
        log_permit(evaluation, whole, subject, table);
        co_return Step::permit;
    }
    // 4NN and 5NN with a text of one's own.
    if (word.size() == 3 && is_numeric(word) && (word[0] == '4' || word[0] == '5')) {
        const int code = base::parse_number<int>(word).value_or(450);
        co_return refuse(evaluation, refusal_of(action, code, code < 500 ? "4.7.1" : "5.7.1", "Access denied"));
    }
    if (whole.find(':') != std::string_view::npos) {
        evaluation.data.logger.warning("access table {} has entry with lookup table: {}", table, whole);
        evaluation.data.logger.warning("do not specify lookup tables inside SMTPD access maps");
        evaluation.data.logger.warning("define a restriction class and specify its name instead.");
        co_return refuse(evaluation, configuration_error());
    }
    const List list = compile_result(evaluation.data, whole);
    co_return co_await run_list(evaluation, list, subject);
}

namespace {

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
                co_return co_await look_up(evaluation, restriction, {net::format_address(facts.client_address)}, Subject::client);
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
            evaluation.data.logger.warning("specify one of (check_client_access, check_reverse_client_hostname_access, check_helo_access, check_sender_access, "
                                       "check_recipient_access, check_etrn_access) before {} restriction \"{}\"", class_of(evaluation.subject), restriction.argument);
            co_return refuse(evaluation, configuration_error());
    }
}

namespace {

// The table about one host: its name and parents, then each of its addresses. The error is the table's.
Task<Result<std::optional<Hit>>> find_host(Evaluation& evaluation, const Restriction& restriction, std::string host, bool is_mx, Subject subject)
{
    const Logger& logger = evaluation.data.logger;
    if (is_mx) {
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
    if (is_mx && !has_address)
        logger.warning("Unable to look up MX host {} for {} {}: {}", host, class_of(subject), name_of(evaluation.facts, subject),
                       is_failing ? "Temporary failure in name resolution" : "Name or service not known");
    co_return std::nullopt;
}

// The last words of a DNS error: "Host not found, try again".
std::string_view short_reason(const Error& error)
{
    const std::string_view text = error.text();
    const std::size_t colon = text.rfind(": ");
    return colon == std::string_view::npos ? text : text.substr(colon + 2);
}

}  // namespace

// check_*_mx_access and check_*_a_access: what the DNS says about a name, held against an access table.
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
            name = mail::split_address(is_sender ? facts.sender : facts.recipient).domain;
            break;
        }
        default: break;
    }
    name = base::lower(name);
    if (name.empty() || name == "unknown" || !(mail::is_valid_hostname(name) || name.starts_with('['))) co_return Step::dunno;

    std::optional<Hit> found;
    std::vector<std::string> hosts;
    const bool wants_mx = (restriction.row->detail & hosts_mx) != 0;
    if (name.starts_with('[')) {
        // A literal stands for its own address.
        const auto address = net::parse_address(name);
        if (!address) co_return Step::dunno;
        std::vector<std::string> keys;
        add_address_keys(keys, *address);
        auto answer = co_await find_first(restriction, std::move(keys), evaluation.data.logger);
        if (!answer) co_return refuse_broken_table(evaluation, subject);
        found = std::move(*answer);
    } else if (wants_mx) {
        const auto exchangers = co_await evaluation.data.dns->query_dns(name, dns::Type::mx);
        if (!exchangers) {
            evaluation.data.logger.warning("Unable to look up MX host for {}: {}", name, short_reason(exchangers.error()));
        } else if (exchangers->records.empty()) {
            hosts.push_back(name);
        } else {
            for (const auto& record : exchangers->records) {
                if (!record.name.empty()) hosts.push_back(record.name);
            }
        }
    } else {
        hosts.push_back(name);
    }
    for (const std::string& host : hosts) {
        if (found) break;
        auto answer = co_await find_host(evaluation, restriction, host, wants_mx, subject);
        if (!answer) co_return refuse_broken_table(evaluation, subject);
        found = std::move(*answer);
    }
    if (!found) co_return Step::dunno;
    const Step step = co_await apply_action(evaluation, restriction.argument, std::move(found->key), std::move(found->value), subject);
    if (step != Step::permit) co_return step;
    // Whoever controls that DNS zone could permit himself.
    evaluation.data.logger.warning("restriction {} returns OK for {}", restriction.name, name_of(facts, subject));
    evaluation.data.logger.warning("this is not allowed for security reasons");
    evaluation.data.logger.warning("use DUNNO instead of OK if you want to make an exception");
    co_return refuse(evaluation, configuration_error());
}

}  // namespace ekiden::check
