#include "base/text.hpp"
#include "check/reply_text.hpp"
#include "check/rules.hpp"
#include "mail/address.hpp"

#include <algorithm>

namespace ekiden::check {

bool ReplyPattern::matches(const net::Address& address) const
{
    if (is_any) return true;
    if (!address.is_v4()) return false;
    const auto bytes = address.to_v4().to_bytes();
    for (std::size_t i = 0; i < 4; ++i) {
        const bool is_in = std::ranges::any_of(
            octets[i], [&](auto range) { return bytes[i] >= range.first && bytes[i] <= range.second; });
        if (!is_in) return false;
    }
    return true;
}

Result<ReplyPattern> parse_reply_pattern(std::string_view text)
{
    auto wrong = [&] { return fail(ErrorCode::syntax, fmt::format("bad address pattern \"{}\"", text)); };
    ReplyPattern pattern;
    pattern.is_any = false;
    std::string_view rest = text;
    for (std::size_t i = 0; i < 4; ++i) {
        if (i > 0) {
            if (!rest.starts_with('.')) return wrong();
            rest.remove_prefix(1);
        }
        auto take_number = [&](std::string_view digits) -> std::optional<unsigned> {
            const auto number = base::parse_number<unsigned>(digits);
            return number && *number <= 255 ? number : std::nullopt;
        };
        if (!rest.starts_with('[')) {
            const std::size_t end = std::min(rest.find('.'), rest.size());
            const auto number = take_number(rest.substr(0, end));
            if (!number) return wrong();
            pattern.octets[i].emplace_back(*number, *number);
            rest.remove_prefix(end);
            continue;
        }
        const std::size_t close = rest.find(']');
        if (close == std::string_view::npos) return wrong();
        for (std::string_view item : base::split(rest.substr(1, close - 1), ';')) {
            const std::size_t dots = item.find("..");
            const auto low = take_number(item.substr(0, dots));
            const auto high = dots == std::string_view::npos ? low : take_number(item.substr(dots + 2));
            if (!low || !high || *low > *high) return wrong();
            pattern.octets[i].emplace_back(*low, *high);
        }
        rest.remove_prefix(close + 1);
    }
    if (!rest.empty()) return wrong();
    return pattern;
}

namespace {

// What is asked about: the label in front of the zone, how it is named in a reply, and what it is.
struct Query {
    std::string label, what;
    Subject subject = Subject::client;
};

std::optional<Query> query_of(const Evaluation& evaluation, int key)
{
    const Facts& facts = evaluation.facts;
    auto host = [](const std::string& name, std::string what, Subject subject) -> std::optional<Query> {
        std::string_view label = name;
        if (label.ends_with('.')) label.remove_suffix(1);
        if (label.empty() || label == "unknown" || label.find('.') == std::string_view::npos ||
            !mail::is_valid_hostname(label) || net::parse_address(label))
            return std::nullopt;
        return Query{base::lower(label), std::move(what), subject};
    };
    auto domain = [&](const std::string& address, Subject subject) -> std::optional<Query> {
        const std::string ascii = mail::to_ascii_domain(mail::split_address(address).domain).value_or(std::string());
        return host(ascii, address, subject);
    };
    switch (key) {
        case block_client_address:
            return Query{dns::reverse_labels(facts.client_address), net::format_address(facts.client_address),
                         Subject::client};
        case block_client_name: return host(facts.client_name, facts.client_name, Subject::client);
        case block_reverse_name:
            return host(facts.reverse_client_name, facts.reverse_client_name, Subject::reverse_client);
        case block_helo: return host(facts.helo_name, facts.helo_name, Subject::helo);
        case block_sender: return facts.has_sender ? domain(facts.sender, Subject::sender) : std::nullopt;
        case block_recipient: return domain(facts.recipient, Subject::recipient);
    }
    return std::nullopt;
}

std::string_view zone_of(std::string_view argument) { return argument.substr(0, argument.find('=')); }

// Every list behind this one that will be asked the same way is asked now, at the same time; the answers are used in
// the order in which they are written. Restrictions between them may make an answer needless, but not wrong.
void ask_ahead(Evaluation& evaluation, std::span<const Restriction> restrictions, const net::Executor& executor,
               int depth = 0)
{
    constexpr int deepest = 4;
    for (const Restriction& restriction : restrictions) {
        if (restriction.members && depth < deepest) ask_ahead(evaluation, *restriction.members, executor, depth + 1);
        if (!restriction.row) continue;
        if (restriction.row->name == "permit" || restriction.row->name == "reject" || restriction.row->name == "defer")
            return;
        if (restriction.row->argument != Argument::domain || restriction.argument.empty() || !restriction.flaw.empty())
            continue;
        const auto query = query_of(evaluation, restriction.row->detail);
        if (query)
            evaluation.blocklists().start(executor, fmt::format("{}.{}", query->label, zone_of(restriction.argument)));
    }
}

// Listed, not listed, or no answer: an RBL that does not answer lists nobody.
Task<Result<bool>> is_listed(Evaluation& evaluation, std::string name, const ReplyPattern& pattern)
{
    ask_ahead(evaluation, evaluation.ahead, co_await asio::this_coro::executor);
    const auto listings = co_await evaluation.blocklists().find(std::move(name));
    if (!listings) co_return std::unexpected(listings.error());
    co_return std::ranges::any_of(*listings, [&](const net::Address& address) { return pattern.matches(address); });
}

Task<std::string> find_reason(Evaluation& evaluation, std::string name)
{
    const auto answer = co_await evaluation.data.dns->query_dns(name, dns::Type::txt);
    if (!answer) {
        const std::string_view text = answer.error().text();
        evaluation.data.logger.warning("{}: TXT lookup error: {}", name, text.substr(text.find("type=TXT: ") + 10));
        co_return std::string();
    }
    if (answer->records.empty()) co_return std::string();
    co_return base::printable(answer->records.front().text, ' ');
}

std::string filtered(const Options& options, std::string value)
{
    for (char& c : value) {
        if (!options.expansion_filter.contains(c)) c = '_';
    }
    return value;
}

// The attributes a reply template may name (postconf(5), default_rbl_reply).
std::string attribute(const Evaluation& evaluation, const Query& query, std::string_view zone,
                      const std::string& reason, std::string_view name)
{
    if (name == "rbl_class") return std::string(class_of(query.subject));
    if (name == "rbl_code") return fmt::format("{}", evaluation.options().rbl_code);
    if (name == "rbl_domain") return std::string(zone);
    if (name == "rbl_reason" || name == "rbl_txt") return reason;
    if (name == "rbl_what") return query.what;
    return session_attribute(evaluation.facts, name).value_or(std::string());
}

// `written`: "zone" or "zone=filter", which is what rbl_reply_maps knows a list by.
Task<Step> refuse_listed(Evaluation& evaluation, Query query, std::string written, std::string zone, std::string name)
{
    const Options& options = evaluation.options();
    std::string pattern = options.default_rbl_reply;
    if (!evaluation.data.rbl_reply_maps.is_empty()) {
        auto own = co_await evaluation.data.rbl_reply_maps.find(std::move(written), &evaluation.data.logger);
        if (!own) co_return refuse(evaluation, configuration_error());
        if (*own) pattern = std::move(**own);
    }
    std::string reason;
    if (pattern.contains("rbl_reason") || pattern.contains("rbl_txt"))
        reason = co_await find_reason(evaluation, std::move(name));
    const std::string line = expand_text(
        pattern, [&](std::string_view n) { return filtered(options, attribute(evaluation, query, zone, reason, n)); });
    // "554 5.7.1 text"; a template that does not start with a code gets the usual one.
    std::string_view text = base::trim(line);
    int code = options.rbl_code;
    if (const auto given = base::parse_number<int>(text.substr(0, 3));
        given && *given >= 400 && *given <= 599 && (text.size() == 3 || text[3] == ' ')) {
        code = *given;
        text = base::trim(text.substr(3));
    } else {
        evaluation.data.logger.warning("rbl response code configuration error: {}", text);
        code = 450;
        text = "Service unavailable";
    }
    auto [enhanced, said] = split_enhanced(text, "4.7.1");
    enhanced = fit_enhanced(evaluation.data.logger, enhanced, query.subject, code);
    co_return refuse(evaluation, Refusal{Fault::policy, code, std::move(enhanced), std::move(said)});
}

Step warn_of_missing_zone(const Evaluation& evaluation, const Restriction& restriction)
{
    evaluation.data.logger.warning("restriction {} requires domain name argument", restriction.name);
    return Step::dunno;
}

Task<Step> reject_if_listed(Evaluation& evaluation, int key, std::string written, const ReplyPattern& pattern)
{
    std::string zone(zone_of(written));
    auto query = query_of(evaluation, key);
    if (!query) co_return Step::dunno;
    std::string name = query->label + "." + zone;
    const auto listed = co_await is_listed(evaluation, name, pattern);
    if (!listed) {
        evaluation.data.logger.warning("{}: RBL lookup error: {}", name, listed.error().text());
        co_return Step::dunno;
    }
    if (!*listed) co_return Step::dunno;
    co_return co_await refuse_listed(evaluation, std::move(*query), std::move(written), std::move(zone),
                                     std::move(name));
}

}  // namespace

dns::Blocklists& Evaluation::blocklists()
{
    if (!asked_lists) asked_lists.emplace(*data.dns);
    return *asked_lists;
}

Task<Step> reject_listed(Evaluation& evaluation, const Restriction& restriction)
{
    if (restriction.argument.empty()) co_return warn_of_missing_zone(evaluation, restriction);
    co_return co_await reject_if_listed(evaluation, restriction.row->detail, restriction.argument, restriction.pattern);
}

Task<Step> reject_maps_rbl(Evaluation& evaluation, const Restriction&)
{
    static const ReplyPattern any;
    const auto executor = co_await asio::this_coro::executor;
    const std::string labels = dns::reverse_labels(evaluation.facts.client_address);
    for (const std::string& zone : evaluation.options().old_rbl_domains)
        evaluation.blocklists().start(executor, labels + "." + zone);
    for (const std::string& zone : evaluation.options().old_rbl_domains) {
        const Step step = co_await reject_if_listed(evaluation, block_client_address, zone, any);
        if (step != Step::dunno) co_return step;
    }
    co_return Step::dunno;
}

Task<Step> permit_listed(Evaluation& evaluation, const Restriction& restriction)
{
    if (restriction.argument.empty()) co_return warn_of_missing_zone(evaluation, restriction);
    const auto query = query_of(evaluation, restriction.row->detail);
    if (!query) co_return Step::dunno;
    // A list that others keep must not open the relay.
    if (!evaluation.facts.recipient.empty()) {
        const Authority authority = co_await find_authority(evaluation);
        if (authority != Authority::authorised) co_return Step::dunno;
    }
    std::string name = fmt::format("{}.{}", query->label, zone_of(restriction.argument));
    const auto listed = co_await is_listed(evaluation, name, restriction.pattern);
    if (!listed) {
        evaluation.data.logger.warning("{}: RBL lookup error: {}", name, listed.error().text());
        co_return defer_if_reject(evaluation, Refusal{Fault::policy, 450, "4.7.1",
                                                      fmt::format("<{}>: {} rejected: Service unavailable", query->what,
                                                                  class_of(query->subject))});
    }
    co_return *listed ? Step::permit : Step::dunno;
}

}  // namespace ekiden::check
