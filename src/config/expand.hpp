// Expansion of `$name`, `${name}`, `$(name)`, `${name?text}`, `${name:text}`, `${name?{a}:{b}}` and the comparisons
// `${{a} == {b} ? {x} : {y}}`, as postconf(5) describes them. Pure; values come from a lookup function.
//
// What a value expands to is expanded again. Configuration files may be written by anybody who administers a virtual
// host, so the work is bounded: nesting (100, as Postfix), steps and the size of the result.
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace ekiden::config {

// The text cannot be expanded. warning() is what Postfix logs before it gives up with "macro processing error".
class ExpandError : public std::runtime_error {
public:
    explicit ExpandError(const std::string& warning) : std::runtime_error(warning) {}
    std::string warning() const { return what(); }
};

// ${domain_to_ascii{name}} of what is no domain name.
class NoDomainName : public ExpandError {
    using ExpandError::ExpandError;
};

struct ExpandLimits {
    int depth = 100;
    int steps = 100'000;             // references followed
    std::size_t size = 1024 * 1024;  // bytes of any intermediate result
};

// The unexpanded value of a name, or nothing: an undefined name counts as empty.
using NameLookup = std::function<std::optional<std::string_view>(std::string_view name)>;

// Throws ExpandError.
std::string expand(std::string_view text, const NameLookup& lookup, const ExpandLimits& limits = {});

// Calls `visit` with every name that `text` mentions, in conditions and branches too. Stops quietly at bad syntax.
void for_each_name(std::string_view text, const std::function<void(std::string_view name)>& visit);

}  // namespace ekiden::config
