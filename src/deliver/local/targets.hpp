// The right-hand side of an alias, a line of .forward or of an :include: file, as aliases(5) describes it: addresses,
// "|command", /file/name, :include:/file/name. Nothing is refused; what is no other form is an address. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ekiden::deliver {

struct Target {
    enum class Kind { address, command, file, include } kind = Kind::address;
    std::string text;    // internal address (perhaps with "\" in front: no alias, no .forward), command, path
    bool operator==(const Target&) const = default;
};

std::vector<Target> parse_targets(std::string_view text);
// As above for a file: lines that begin with "#" are comments, lines longer than `line_limit` are broken up.
std::vector<Target> parse_target_lines(std::string_view text, std::size_t line_limit);

}  // namespace ekiden::deliver
