#include "dns/filtered.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

namespace ekiden::dns {

namespace {

std::string with_dot(std::string_view name)
{
    std::string text(name);
    if (!text.ends_with('.')) text += '.';
    return text;
}

std::string value_of(const Record& record)
{
    switch (record.type) {
    case Type::a:
    case Type::aaaa: return net::format_address(record.address);
    case Type::txt: return record.text;
    case Type::mx: return fmt::format("{} {}", record.preference, with_dot(record.name));
    default: return with_dot(record.name);
    }
}

Error trouble(ErrorCode code, std::string_view name, Type type, std::string_view why)
{
    return Error(code, fmt::format("Error looking up name={} type={}: {}", name, name_of(type), why));
}

}  // namespace

std::string line_of(std::string_view name, std::uint32_t ttl, const Record& record)
{
    return fmt::format("{} {} IN {} {}", with_dot(name), ttl, name_of(record.type), value_of(record));
}

bool is_all_filtered(const Error& error) { return error.is(ErrorCode::refused); }

Task<Result<Answer>> FilteredResolver::ask(std::shared_ptr<const Parts> parts, std::string name, Type type)
{
    Result<Answer> answer = co_await parts->inner.query_dns(name, type);
    if (!answer || answer->records.empty()) co_return answer;
    std::vector<Record> kept;
    for (Record& record : answer->records) {
        const Result<std::optional<std::string>> action = co_await parts->filter(line_of(name, answer->ttl, record));
        const bool is_dropped = action && *action && base::equal_ignoring_case(**action, "IGNORE");
        if (action && *action && !is_dropped)
            parts->log.warning("{}: unknown DNS filter action: \"{}\"", parts->parameter, base::printable(**action));
        if (!action || (*action && !is_dropped))
            co_return std::unexpected(trouble(ErrorCode::syntax, name, type, "Invalid DNS reply filter syntax"));
        if (!is_dropped) kept.push_back(std::move(record));
    }
    if (kept.empty())
        co_return std::unexpected(trouble(ErrorCode::refused, name, type, "DNS reply filter drops all results"));
    answer->records = std::move(kept);
    co_return answer;
}

}  // namespace ekiden::dns
