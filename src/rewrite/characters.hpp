// Characters that content may not have: message_strip_characters takes them out, message_reject_characters refuses the
// message. Both look at the bytes as they come, before anything is decoded. Immutable; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace ekiden::rewrite {

class CharacterRules {
public:
    CharacterRules() = default;   // everything may pass
    // As in main.cf: characters, and \a \b \f \n \r \t \v, up to three octal digits, \\ for what cannot be written.
    // The end of a line is no character of it.
    CharacterRules(std::string_view stripped, std::string_view refused);

    bool has_stripped() const { return has_stripped_; }
    bool has_refused() const { return has_refused_; }
    // Where the first character stands that must not be there, or npos.
    std::size_t find_refused(std::string_view content) const;
    std::string strip(std::string_view content) const;

private:
    using Set = std::array<bool, 256>;
    bool has_stripped_ = false, has_refused_ = false;
    Set stripped_{}, refused_{};
};

}  // namespace ekiden::rewrite
