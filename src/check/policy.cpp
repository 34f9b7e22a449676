#include "check/policy.hpp"

#include "base/text.hpp"
#include "check/policy_protocol.hpp"
#include "check/rules.hpp"
#include "dns/filtered.hpp"
#include "table/table.hpp"

#include <algorithm>

namespace ekiden::check {

namespace {

// smtpd_expansion_filter: "\t\40!…", characters and C escapes.
std::set<char> characters_of(std::string_view filter)
{
    std::set<char> result;
    for (std::size_t i = 0; i < filter.size(); ++i) {
        char c = filter[i];
        if (c == '\\' && i + 1 < filter.size()) {
            c = filter[++i];
            if (c == 't') c = '\t';
            else if (c == 'n') c = '\n';
            else if (c >= '0' && c <= '7') {
                int value = 0;
                std::size_t end = i;
                while (end < filter.size() && end < i + 3 && filter[end] >= '0' && filter[end] <= '7')
                    value = value * 8 + (filter[end++] - '0');
                c = static_cast<char>(value);
                i = end - 1;
            }
        }
        result.insert(c);
    }
    return result;
}

}  // namespace

Options Options::from(const config::Settings& settings)
{
    Options o;
    auto number = [&](const char* name) { return static_cast<int>(settings.integer(name)); };
    o.delays_reject = settings.boolean("smtpd_delay_reject");
    o.is_soft_bounce = settings.boolean("soft_bounce");
    o.relays_first = settings.boolean("smtpd_relay_before_recipient_restrictions");
    o.shows_table_name = settings.boolean("show_user_unknown_table_name");
    o.checks_recipients = settings.boolean("smtpd_reject_unlisted_recipient");
    o.checks_senders = settings.boolean("smtpd_reject_unlisted_sender");
    const auto overrides = settings.list("receive_override_options");
    o.ignores_unlisted = std::ranges::find(overrides, "no_unknown_recipient_checks") != overrides.end();
    o.has_sasl = settings.boolean("smtpd_sasl_auth_enable");
    o.asks_for_certificates = settings.boolean("smtpd_tls_ask_ccert") || settings.boolean("smtpd_tls_req_ccert");
    o.allows_untrusted_routing = settings.boolean("allow_untrusted_routing");
    const auto parents = settings.list("parent_domain_matches_subdomains");
    o.matches_parent_domains = std::ranges::find(parents, "smtpd_access_maps") != parents.end();
    o.reject_code = number("reject_code");
    o.defer_code = number("defer_code");
    o.access_map_reject_code = number("access_map_reject_code");
    o.access_map_defer_code = number("access_map_defer_code");
    o.invalid_hostname_code = number("invalid_hostname_reject_code");
    o.non_fqdn_code = number("non_fqdn_reject_code");
    o.unknown_hostname_code = number("unknown_hostname_reject_code");
    o.unknown_client_code = number("unknown_client_reject_code");
    o.unknown_address_code = number("unknown_address_reject_code");
    o.relay_code = number("relay_domains_reject_code");
    o.rbl_code = number("maps_rbl_reject_code");
    o.multi_recipient_bounce_code = number("multi_recipient_bounce_reject_code");
    o.plaintext_code = number("plaintext_reject_code");
    o.unknown_local_code = number("unknown_local_recipient_reject_code");
    o.unknown_relay_code = number("unknown_relay_recipient_reject_code");
    o.unknown_virtual_alias_code = number("unknown_virtual_alias_reject_code");
    o.unknown_virtual_mailbox_code = number("unknown_virtual_mailbox_reject_code");
    o.defers_unknown_address = settings.str("unknown_address_tempfail_action") == "defer";
    o.defers_unknown_helo = settings.str("unknown_helo_hostname_tempfail_action") == "defer";
    o.verify_sender = {number("unverified_sender_reject_code"), number("unverified_sender_defer_code"),
                       settings.str("unverified_sender_reject_reason"),
                       settings.str("unverified_sender_tempfail_action") == "defer"};
    o.verify_recipient = {number("unverified_recipient_reject_code"), number("unverified_recipient_defer_code"),
                          settings.str("unverified_recipient_reject_reason"),
                          settings.str("unverified_recipient_tempfail_action") == "defer"};
    o.verify_poll_count = number("address_verify_poll_count");
    o.verify_poll_delay = settings.time("address_verify_poll_delay");
    o.recipient_delimiter = settings.str("recipient_delimiter");
    o.default_rbl_reply = settings.raw("default_rbl_reply");
    o.null_access_key = settings.str("smtpd_null_access_lookup_key");
    o.old_rbl_domains = settings.list("maps_rbl_domains");
    o.stress = settings.str("stress");
    o.compatibility_level = settings.str("compatibility_level");
    o.mail_version = settings.str("mail_version");
    o.expansion_filter = characters_of(settings.raw("smtpd_expansion_filter"));

    o.policy_defaults.timeout = settings.time("smtpd_policy_service_timeout");
    o.policy_defaults.retry_delay = settings.time("smtpd_policy_service_retry_delay");
    o.policy_defaults.max_idle = settings.time("smtpd_policy_service_max_idle");
    o.policy_defaults.max_ttl = settings.time("smtpd_policy_service_max_ttl");
    o.policy_defaults.try_limit = number("smtpd_policy_service_try_limit");
    o.policy_defaults.request_limit = number("smtpd_policy_service_request_limit");
    o.policy_defaults.default_action = settings.str("smtpd_policy_service_default_action");
    o.policy_defaults.policy_context = settings.str("smtpd_policy_service_policy_context");
    return o;
}

void Policy::Data::warn_once(std::string_view key, const std::string& text) const
{
    {
        std::lock_guard lock(warned_lock);
        if (!warned.emplace(key).second) return;
    }
    logger.warning("{}", text);
}

namespace {

// A table may stand without a restriction's name: it then belongs to what the list is about.
constexpr Row plain_table = {"", Argument::table, nullptr, check_access, Support::full, {}, access_list};

void open_argument_table(Restriction& restriction, const Logger* logger)
{
    table::OpenOptions options;
    if (logger) options.log = *logger;
    restriction.table = table::Maps::open(restriction.name, restriction.argument, options);
    if (logger) {
        for (const std::string& problem : restriction.table.problems()) logger->error("{}", problem);
    }
    // Only whether its keys may be taken apart is of interest here; the handle that answers is the one above.
    if (auto opened = table::open_table(restriction.argument, options))
        restriction.has_patterns = (*opened)->has_patterns();
}

void take_argument(Restriction& restriction, const PolicyServer& defaults, const Logger* logger, bool may_open_tables)
{
    switch (restriction.row->argument) {
        case Argument::certificate_table:
            if (auto parsed = parse_certificate_table(restriction.argument)) {
                restriction.argument = std::move(parsed->table);
                restriction.fingerprints = std::move(parsed->fingerprints);
            } else {
                restriction.flaw = parsed.error().text();
                break;
            }
            [[fallthrough]];
        case Argument::table:
            if (restriction.argument.find(':') == std::string::npos)
                restriction.flaw = fmt::format("restriction {}: bad argument \"{}\": need maptype:mapname",
                                               restriction.name, restriction.argument);
            else if (!may_open_tables)
                restriction.flaw =
                    fmt::format("restriction {}: table {} must be named in main.cf (smtpd_restriction_classes)",
                                restriction.name, restriction.argument);
            else open_argument_table(restriction, logger);
            break;
        case Argument::domain: {
            // A missing zone is only worth a warning, as in Postfix: see reject_listed().
            const std::size_t equals = restriction.argument.find('=');
            if (equals == std::string::npos) break;
            if (auto pattern = parse_reply_pattern(std::string_view(restriction.argument).substr(equals + 1)))
                restriction.pattern = std::move(*pattern);
            else restriction.flaw = fmt::format("restriction {}: {}", restriction.name, pattern.error().text());
            break;
        }
        case Argument::service:
            if (auto server = parse_policy_server(restriction.argument, defaults))
                restriction.server = std::make_shared<const PolicyServer>(std::move(*server));
            else restriction.flaw = server.error().text();
            break;
        case Argument::number:
        case Argument::none: break;
    }
}

List compile_words(const std::map<std::string, List, std::less<>>& classes, const PolicyServer& defaults,
                   const Logger* logger, const std::vector<std::string>& words, bool may_open_tables)
{
    List list;
    for (std::size_t i = 0; i < words.size(); ++i) {
        std::string word = words[i];
        // "{ name argument, … }": one restriction in braces.
        std::vector<std::string> inner;
        if (word.starts_with('{') && word.ends_with('}')) {
            for (std::string_view part : base::split_quoted_braces(std::string_view(word).substr(1, word.size() - 2)))
                inner.emplace_back(part);
            if (inner.empty()) continue;
            word = inner.front();
        }
        Restriction restriction;
        restriction.name = word;
        if (auto at = classes.find(word); at != classes.end()) {
            restriction.members = &at->second;
        } else if ((restriction.row = find_row(word))) {
            if (restriction.row->argument != Argument::none) {
                if (inner.size() > 1) {
                    restriction.argument = inner[1];
                    for (std::size_t k = 2; k < inner.size(); ++k) restriction.argument += "," + inner[k];
                    const bool is_group = restriction.row->argument == Argument::service ||
                                          restriction.row->argument == Argument::certificate_table;
                    if (is_group && inner.size() > 2) restriction.argument = "{" + restriction.argument + "}";
                } else if (inner.empty() && i + 1 < words.size()) {
                    restriction.argument = words[++i];
                }
                take_argument(restriction, defaults, logger, may_open_tables);
            }
        } else if (word.find(':') != std::string::npos) {
            restriction.row = &plain_table;
            restriction.argument = word;
            take_argument(restriction, defaults, logger, may_open_tables);
        }
        list.push_back(std::move(restriction));
    }
    return list;
}

// Does the list refuse foreign destinations before it can permit everything? warn_if_reject makes a refusal harmless.
bool controls_relaying(const List& list, int depth = 0)
{
    static constexpr std::string_view refusing[] = {
        "reject_unauth_destination", "defer_unauth_destination", "reject", "defer",
        "defer_if_permit",           "check_relay_domains"};
    if (depth > 100) return false;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const Restriction& restriction = list[i];
        if (restriction.members) {
            if (controls_relaying(*restriction.members, depth + 1)) return true;
        } else if (restriction.row && restriction.row->name == "warn_if_reject") {
            ++i;
        } else if (restriction.row && restriction.row->name == "permit") {
            return false;
        } else if (restriction.row && std::ranges::find(refusing, restriction.row->name) != std::end(refusing)) {
            return true;
        }
    }
    return false;
}

void collect_problems(std::vector<config::Problem>& problems, const List& list, const config::Location& at,
                      std::string_view parameter)
{
    using Level = config::Problem::Level;
    for (const Restriction& restriction : list) {
        if (restriction.members) continue;
        if (!restriction.row)
            problems.push_back({Level::warning, at,
                                fmt::format("{}: unknown smtpd restriction: \"{}\"", parameter, restriction.name)});
        else if (!restriction.flaw.empty())
            problems.push_back({Level::warning, at, fmt::format("{}: {}", parameter, restriction.flaw)});
        else if (restriction.row->argument == Argument::domain && restriction.argument.empty())
            problems.push_back(
                {Level::warning, at,
                 fmt::format("{}: restriction {} requires domain name argument", parameter, restriction.name)});
    }
}

}  // namespace

List compile(Policy::Data& data, const std::vector<std::string>& words, bool may_open_tables)
{
    return compile_words(data.classes, data.options.policy_defaults, &data.logger, words, may_open_tables);
}

List compile_result(const Policy::Data& data, std::string_view text)
{
    std::vector<std::string> words;
    for (std::string_view word : base::split_quoted_braces(text)) words.emplace_back(word);
    return compile_words(data.classes, data.options.policy_defaults, nullptr, words, false);
}

std::shared_ptr<const Policy> Policy::make(config::SettingsPtr settings,
                                           std::shared_ptr<const rewrite::Resolver> resolver, dns::Resolver& dns,
                                           Logger logger, std::shared_ptr<verify::Verifier> verifier)
{
    auto data = std::make_shared<Data>();
    data->settings = settings;
    data->resolver = std::move(resolver);
    data->dns = &dns;
    data->verifier = std::move(verifier);
    data->probe_sender = verify::ProbeSender::from(*settings, *data->resolver);
    data->logger = std::move(logger);
    data->resolver_logger = Logger(settings->str("syslog_name") + "/trivial-rewrite");
    data->options = Options::from(*settings);
    data->reject_footer = RejectFooter::make(*settings, data->logger);

    const auto parents = settings->list("parent_domain_matches_subdomains");
    auto match_list = [&](const char* name) {
        return table::MatchList::open(name, settings->str(name), std::ranges::find(parents, name) != parents.end());
    };
    auto maps = [&](const char* name) {
        table::OpenOptions options;
        options.log = data->logger;
        auto opened = table::Maps::open(name, settings->str(name), options);
        for (const std::string& problem : opened.problems()) data->logger.error("{}", problem);
        return opened;
    };
    data->mynetworks = match_list("mynetworks");
    data->mx_backup_networks = match_list("permit_mx_backup_networks");
    data->logged_permits = match_list("smtpd_log_access_permit_actions");
    data->own_addresses = find_own_addresses(*settings);
    data->canonical_maps = maps("canonical_maps");
    data->recipient_canonical_maps = maps("recipient_canonical_maps");
    data->sender_canonical_maps = maps("sender_canonical_maps");
    data->virtual_alias_maps = maps("virtual_alias_maps");
    data->local_recipient_maps = maps("local_recipient_maps");
    data->relay_recipient_maps = maps("relay_recipient_maps");
    data->virtual_mailbox_maps = maps("virtual_mailbox_maps");
    data->sender_login_maps = maps("smtpd_sender_login_maps");
    data->rbl_reply_maps = maps("rbl_reply_maps");
    if (const table::Maps filter = maps("smtpd_dns_reply_filter"); !filter.is_empty()) {
        data->filtered_dns = std::make_unique<dns::FilteredResolver>(
            dns, "smtpd_dns_reply_filter", [filter](std::string line) { return filter.find(std::move(line)); },
            data->logger);
        data->dns = data->filtered_dns.get();
    }
    data->relay_clientcerts = maps("relay_clientcerts");

    // All names first, so that classes may name each other; map nodes stay where they are.
    const auto class_names = settings->list("smtpd_restriction_classes");
    for (const std::string& name : class_names) data->classes.try_emplace(name);
    for (const std::string& name : class_names) {
        std::vector<std::string> words;
        const std::string text = settings->expand("$" + name);
        for (std::string_view word : base::split_quoted_braces(text)) words.emplace_back(word);
        data->classes[name] = compile(*data, words, true);
        collect_problems(data->problems, data->classes[name], settings->location(name), name);
    }
    auto list = [&](const char* name) {
        List compiled = compile(*data, settings->list(name), true);
        collect_problems(data->problems, compiled, settings->location(name), name);
        return compiled;
    };
    data->client = list("smtpd_client_restrictions");
    data->helo = list("smtpd_helo_restrictions");
    data->sender = list("smtpd_sender_restrictions");
    data->relay = list("smtpd_relay_restrictions");
    data->recipient = list("smtpd_recipient_restrictions");
    data->data = list("smtpd_data_restrictions");
    data->end_of_data = list("smtpd_end_of_data_restrictions");
    data->etrn = list("smtpd_etrn_restrictions");

    if (!controls_relaying(data->relay) && !controls_relaying(data->recipient))
        throw config::ConfigError(open_relay_text);
    return std::make_shared<const Policy>(std::move(data));
}

const char open_relay_text[] =
    "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working instance of: "
    "reject_unauth_destination, defer_unauth_destination, reject, defer, defer_if_permit or check_relay_domains";

bool is_open_relay(const config::Settings& settings)
{
    std::map<std::string, List, std::less<>> classes;
    const auto class_names = settings.list("smtpd_restriction_classes");
    for (const std::string& name : class_names) classes.try_emplace(name);
    for (const std::string& name : class_names) {
        const std::string text = settings.expand("$" + name);
        std::vector<std::string> words;
        for (std::string_view word : base::split_quoted_braces(text)) words.emplace_back(word);
        classes[name] = compile_words(classes, {}, nullptr, words, false);
    }
    return std::ranges::none_of(
        std::array{"smtpd_relay_restrictions", "smtpd_recipient_restrictions"}, [&](const char* name) {
            return controls_relaying(compile_words(classes, {}, nullptr, settings.list(name), false));
        });
}

const std::vector<config::Problem>& Policy::problems() const { return data_->problems; }
const RejectFooter& Policy::reject_footer() const { return data_->reject_footer; }

}  // namespace ekiden::check
