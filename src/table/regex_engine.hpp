// Compiled regular expressions of the two kinds that tables know: POSIX and PCRE2. Matching is bounded (PCRE2's match
// limit), and a match that hits the bound is trouble, not "no". Thread: immutable once compiled, any thread.
#pragma once

#include "base/result.hpp"

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace ekiden::table {

class Regex {
public:
    virtual ~Regex() = default;
    // Fills groups[0] with group 1 and so on; they point into `subject`.
    virtual Result<bool> matches(const std::string& subject, std::span<std::string_view> groups) const = 0;
    virtual std::size_t group_count() const = 0;
};

// Flags as in regexp_table(5): i m x. The error is the text after "regexp map FILE, line N: ".
std::expected<std::unique_ptr<const Regex>, std::string> compile_posix(const std::string& pattern,
                                                                       std::string_view flags, bool needs_groups);
// Flags as in pcre_table(5): i m s x A E U X.
std::expected<std::unique_ptr<const Regex>, std::string> compile_pcre(const std::string& pattern,
                                                                      std::string_view flags);

}  // namespace ekiden::table
