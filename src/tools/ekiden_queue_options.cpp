#include "tools/ekiden_queue_options.hpp"

#include "base/option_words.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>

namespace ekiden::tools {

namespace {

using queue::Change;

constexpr QueueVerbRow verbs[] = {
    {QueueVerb::list, "list", "", Change::requeue, "listing", "listed"},
    {QueueVerb::hold, "hold", "hold", Change::hold, "holding", "put on hold"},
    {QueueVerb::release, "release", "release", Change::release, "releasing", "released"},
    {QueueVerb::remove, "delete", "remove", Change::remove, "deleting", "deleted"},
    {QueueVerb::requeue, "requeue", "requeue", Change::requeue, "requeueing", "requeued"},
    {QueueVerb::flush, "flush", "", Change::requeue, "flushing", "asked to be tried now"},
};

constexpr std::string_view queue_names[] = {"incoming", "active", "deferred", "hold"};
constexpr std::pair<std::string_view, QueueSort> sorts[] = {
    {"age", QueueSort::age}, {"size", QueueSort::size}, {"sender", QueueSort::sender}, {"recipients", QueueSort::recipients}, {"id", QueueSort::id},
};

struct Flag {
    std::string_view name;
    bool QueueOptions::*member;
};
constexpr Flag flags[] = {
    {"--dry-run", &QueueOptions::is_dry}, {"-n", &QueueOptions::is_dry},         {"--json", &QueueOptions::is_json},
    {"--all", &QueueOptions::is_all},     {"--help", &QueueOptions::wants_help}, {"-h", &QueueOptions::wants_help},
};

Result<void> take_list(std::vector<std::string>& list, const std::string& value)
{
    list.push_back(value);
    return {};
}

Result<void> take_size(QueueFilter& filter, const std::string& value)
{
    EKIDEN_TRY_VALUE(limit, parse_size_limit(value));
    (limit.sign == '+' ? filter.larger : limit.sign == '-' ? filter.smaller : filter.exactly) = limit.bytes;
    return {};
}

Result<void> take_age(std::optional<std::chrono::seconds>& age, const std::string& value)
{
    EKIDEN_TRY_VALUE(parsed, parse_age(value));
    age = parsed;
    return {};
}

Result<void> take_queue(QueueFilter& filter, const std::string& value)
{
    if (std::ranges::find(queue_names, value) == std::end(queue_names))
        return fail(ErrorCode::syntax,
                    "there is no queue " + base::printable(value) + " (incoming, active, deferred, hold)");
    filter.queues.insert(value);
    return {};
}

Result<void> take_limit(QueueOptions& options, const std::string& value)
{
    const auto number = base::parse_number<std::size_t>(value);
    if (!number || *number == 0)
        return fail(ErrorCode::syntax, "--limit wants a number above 0: " + base::printable(value));
    options.limit = *number;
    return {};
}

Result<void> take_sort(QueueOptions& options, const std::string& value)
{
    std::string_view name = value;
    options.is_reversed = name.starts_with('-');
    if (options.is_reversed) name.remove_prefix(1);
    const auto row = std::ranges::find(sorts, name, &std::pair<std::string_view, QueueSort>::first);
    if (row == std::end(sorts))
        return fail(ErrorCode::syntax, "--sort wants age, size, sender, recipients or id: " + base::printable(value));
    options.sort = row->second;
    return {};
}

Result<void> take_directory(QueueOptions& options, const std::string& value)
{
    options.directory = value;
    return {};
}

struct Valued {
    std::string_view name;
    Result<void> (*take)(QueueOptions&, const std::string&);
};
constexpr Valued valued[] = {
    {"--sender", [](QueueOptions& o, const std::string& v) { return take_list(o.filter.senders, v); }},
    {"--recipient", [](QueueOptions& o, const std::string& v) { return take_list(o.filter.recipients, v); }},
    {"--domain", [](QueueOptions& o, const std::string& v) { return take_list(o.filter.domains, v); }},
    {"--reason", [](QueueOptions& o, const std::string& v) { return take_list(o.filter.reasons, v); }},
    {"--destination", [](QueueOptions& o, const std::string& v) { return take_list(o.filter.destinations, v); }},
    {"--client", [](QueueOptions& o, const std::string& v) { return take_list(o.filter.clients, v); }},
    {"--queue", [](QueueOptions& o, const std::string& v) { return take_queue(o.filter, v); }},
    {"--older", [](QueueOptions& o, const std::string& v) { return take_age(o.filter.older, v); }},
    {"--younger", [](QueueOptions& o, const std::string& v) { return take_age(o.filter.younger, v); }},
    {"--size", [](QueueOptions& o, const std::string& v) { return take_size(o.filter, v); }},
    {"--limit", take_limit},
    {"--sort", take_sort},
    {"-c", take_directory},
};

}  // namespace

const char queue_usage[] =
    "usage: ekiden queue list|hold|release|delete|requeue|flush [FILTER...] [queue_id...] [--dry-run] [--json] [-c config_dir]\n"
    "filters: --sender GLOB  --recipient GLOB  --domain GLOB  --client IP|NETWORK|GLOB  --reason TEXT\n"
    "         --destination TRANSPORT|NEXTHOP|TRANSPORT:NEXTHOP  --queue incoming|active|deferred|hold\n"
    "         --older AGE  --younger AGE (30m, 2h, 3d)  --size +1M|-10k|BYTES\n"
    "also:    --sort [-]age|size|sender|recipients|id  --limit N  --all (delete everything)";

bool QueueVerbRow::may_take(std::string_view queue_name) const
{
    if (verb == QueueVerb::release) return queue_name == "hold";
    if (verb == QueueVerb::hold || verb == QueueVerb::flush) return queue_name != "hold";
    return true;
}

const QueueVerbRow* find_queue_verb(std::string_view word)
{
    const auto row = std::ranges::find(verbs, word, &QueueVerbRow::word);
    return row == std::end(verbs) ? nullptr : row;
}

const QueueVerbRow& row_of(QueueVerb verb) { return *std::ranges::find(verbs, verb, &QueueVerbRow::verb); }

Result<QueueOptions> parse_queue_options(const std::vector<std::string>& words)
{
    QueueOptions options;
    bool has_verb = false;
    for (base::OptionWords given(words); given.next();) {
        const std::string& name = given.name();
        if (const auto flag = std::ranges::find(flags, std::string_view(name), &Flag::name); flag != std::end(flags)) {
            EKIDEN_TRY(given.expect_no_value());
            options.*flag->member = true;
        } else if (const auto row = std::ranges::find(valued, std::string_view(name), &Valued::name);
                   row != std::end(valued)) {
            EKIDEN_TRY_VALUE(value, given.take_value());
            EKIDEN_TRY(row->take(options, value));
        } else if (name.starts_with('-')) {
            return fail(ErrorCode::syntax, "there is no option " + base::printable(name));
        } else if (!has_verb) {
            const QueueVerbRow* const verb = find_queue_verb(name);
            if (!verb)
                return fail(ErrorCode::syntax, "there is no command " + base::printable(name) +
                                                   " (list, hold, release, delete, requeue, flush)");
            options.verb = verb->verb;
            has_verb = true;
        } else {
            const auto id = mail::parse_queue_id(name);
            if (!id) return fail(ErrorCode::syntax, "not a queue id: " + base::printable(name));
            options.filter.ids.insert(id->value);
        }
    }
    if (options.wants_help) return options;
    if (!has_verb) return fail(ErrorCode::syntax, "what is to be done? (list, hold, release, delete, requeue, flush)");
    if (options.verb == QueueVerb::remove && options.filter.is_empty() && !options.is_all)
        return fail(ErrorCode::syntax, "delete wants a filter or queue ids; --all deletes every message");
    if (options.is_all && !options.filter.is_empty())
        return fail(ErrorCode::syntax, "--all and filters contradict each other");
    return options;
}

}  // namespace ekiden::tools
