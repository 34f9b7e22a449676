#include "config/parameters.hpp"

#include "base/text.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <vector>

namespace ekiden::config {

namespace {

constexpr auto text = Kind::text;
constexpr auto boolean = Kind::boolean;
constexpr auto integer = Kind::integer;
constexpr auto big_integer = Kind::big_integer;
constexpr auto time = Kind::time;
constexpr auto raw = Kind::raw;
constexpr auto supported = Support::supported;
constexpr auto partly = Support::partly;
constexpr auto without_effect = Support::without_effect;
constexpr auto refused = Support::refused;

constexpr Parameter rows[] = {
#define P(name, kind, default_value, min, max, since, area, readers, support, reason, summary) \
    Parameter{name, kind, default_value, min, max, since, area, readers, support, reason, summary},
#include "config/parameters/cleanup.def"
#include "config/parameters/local.def"
#include "config/parameters/milter.def"
#include "config/parameters/misc.def"
#include "config/parameters/postscreen.def"
#include "config/parameters/queue.def"
#include "config/parameters/sasl.def"
#include "config/parameters/smtp.def"
#include "config/parameters/smtpd.def"
#include "config/parameters/tls.def"
#include "config/parameters/verify.def"
#undef P
};

struct Index {
    std::vector<Parameter> sorted{std::begin(rows), std::end(rows)};
    std::unordered_map<std::string_view, const Parameter*> by_name;

    Index()
    {
        std::ranges::sort(sorted, {}, &Parameter::name);
        by_name.reserve(sorted.size() * 2);
        for (const auto& row : sorted) by_name.emplace(row.name, &row);
    }
};

const Index& index()
{
    static const Index instance;
    return instance;
}

constexpr std::array service_rows{
    ServiceParameter{"_delivery_slot_cost", "$default_delivery_slot_cost", integer, false,
                     "recipients between two slots in which a small message may pass"},
    ServiceParameter{"_delivery_slot_discount", "$default_delivery_slot_discount", integer, false,
                     "share of slots a message is spared before it may be passed"},
    ServiceParameter{"_delivery_slot_loan", "$default_delivery_slot_loan", integer, false,
                     "slots a message may have short when it passes another"},
    ServiceParameter{"_destination_concurrency_failed_cohort_limit",
                     "$default_destination_concurrency_failed_cohort_limit", integer, false,
                     "failed cohorts after which a destination counts as dead"},
    ServiceParameter{"_destination_concurrency_limit", "$default_destination_concurrency_limit", integer, false,
                     "parallel deliveries to one destination"},
    ServiceParameter{"_destination_concurrency_negative_feedback",
                     "$default_destination_concurrency_negative_feedback", text, false,
                     "how far a failure lowers the concurrency"},
    ServiceParameter{"_destination_concurrency_positive_feedback",
                     "$default_destination_concurrency_positive_feedback", text, false,
                     "how far a success raises the concurrency"},
    ServiceParameter{"_destination_rate_delay", "$default_destination_rate_delay", time, false,
                     "pause between deliveries to one destination"},
    ServiceParameter{"_destination_recipient_limit", "$default_destination_recipient_limit", integer, false,
                     "recipients in one delivery"},
    ServiceParameter{"_extra_recipient_limit", "$default_extra_recipient_limit", integer, false,
                     "recipients kept in memory beyond the limit for messages that pass"},
    ServiceParameter{"_initial_destination_concurrency", "$initial_destination_concurrency", integer, false,
                     "parallel deliveries a new destination starts with"},
    ServiceParameter{"_minimum_delivery_slots", "$default_minimum_delivery_slots", integer, false,
                     "recipients a message needs before others may pass it"},
    ServiceParameter{"_recipient_limit", "$default_recipient_limit", integer, false,
                     "recipients of this transport in memory"},
    ServiceParameter{"_recipient_refill_delay", "$default_recipient_refill_delay", time, false,
                     "longest wait before more recipients are read"},
    ServiceParameter{"_recipient_refill_limit", "$default_recipient_refill_limit", integer, false,
                     "recipients read at once when some have gone"},
    ServiceParameter{"_time_limit", "$command_time_limit", time, true, "longest run of the command"},
    ServiceParameter{"_transport_rate_delay", "$default_transport_rate_delay", time, false,
                     "pause between deliveries of this transport"},
};

}  // namespace

std::span<const Parameter> all_parameters() { return index().sorted; }

const Parameter* find_parameter(std::string_view name)
{
    auto found = index().by_name.find(name);
    return found == index().by_name.end() ? nullptr : found->second;
}

std::span<const ServiceParameter> service_parameters() { return service_rows; }

const ServiceParameter* find_service_parameter(std::string_view name, std::string_view* service)
{
    const ServiceParameter* best = nullptr;
    // The longest suffix wins: x_extra_recipient_limit also ends in _recipient_limit.
    for (const auto& row : service_rows)
        if (name.size() > row.suffix.size() && name.ends_with(row.suffix)
            && (best == nullptr || row.suffix.size() > best->suffix.size()))
            best = &row;
    if (best != nullptr && service != nullptr) *service = name.substr(0, name.size() - best->suffix.size());
    return best;
}

std::optional<std::string> check_value(const Parameter& parameter, std::string_view value)
{
    const auto name = parameter.name;
    const auto outside = [&](std::int64_t number) -> std::optional<std::string> {
        if (parameter.min != 0 && number < parameter.min)
            return fmt::format("invalid {} parameter value {} < {}", name, number, parameter.min);
        if (parameter.max != 0 && number > parameter.max)
            return fmt::format("invalid {} parameter value {} > {}", name, number, parameter.max);
        return std::nullopt;
    };
    switch (parameter.kind) {
    case Kind::boolean:
        if (!parse_boolean(value)) return fmt::format("bad boolean configuration: {} = {}", name, value);
        return std::nullopt;
    case Kind::integer:
    case Kind::big_integer: {
        const auto number = parse_integer(value, parameter.kind == Kind::big_integer);
        if (!number) return fmt::format("bad numerical configuration: {} = {}", name, value);
        return outside(*number);
    }
    case Kind::time: {
        const auto seconds = parse_time(value, default_unit(parameter.default_value));
        if (!seconds) return fmt::format("parameter {}: bad time value or unit: {}", name, value);
        if (parameter.min != 0 && seconds->count() < parameter.min)
            return fmt::format("invalid {}: {} (min {})", name, seconds->count(), parameter.min);
        if (parameter.max != 0 && seconds->count() > parameter.max)
            return fmt::format("invalid {}: {} (max {})", name, seconds->count(), parameter.max);
        return std::nullopt;
    }
    case Kind::text:
    case Kind::raw: {
        const auto length = static_cast<std::int64_t>(value.size());
        if (parameter.min != 0 && length < parameter.min)
            return fmt::format("bad string length {} < {}: {} = {}", length, parameter.min, name, value);
        if (parameter.max != 0 && length > parameter.max)
            return fmt::format("bad string length {} > {}: {} = {}", length, parameter.max, name, value);
        return std::nullopt;
    }
    }
    return std::nullopt;
}

}  // namespace ekiden::config
