// `$1`, `${1}`, `$(1)` and `$$` in the result of a pattern rule. Pure; thread: immutable once parsed.
#pragma once

#include "base/result.hpp"

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::table {

inline constexpr std::size_t max_expansion_bytes = std::size_t{1} << 20;

class Substitution {
public:
    struct Fault {
        std::string remark;      // said without the rule's place, as Postfix does; may be empty
        std::string text;        // said with it; may be empty
    };
    // `zero_index_words`: how this table type calls an index that is out of range.
    static std::expected<Substitution, Fault> parse(std::string_view text, std::string_view zero_index_words);

    bool has_groups() const { return highest_ > 0; }
    unsigned highest_group() const { return highest_; }
    // groups[0] is $1. A group that took no part in the match is empty.
    Result<std::string> expand(std::span<const std::string_view> groups) const;
    const std::string& plain() const { return pieces_.empty() ? empty_ : pieces_.front().text; }  // when !has_groups()

private:
    struct Piece {
        std::string text;
        unsigned group = 0;  // appended after the text; 0: none
    };
    std::vector<Piece> pieces_;
    std::string empty_;
    unsigned highest_ = 0;
};

}  // namespace ekiden::table
