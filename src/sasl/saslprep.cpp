#include "sasl/saslprep.hpp"

#include "base/text.hpp"

#include <stringprep.h>

#include <algorithm>

namespace ekiden::sasl {

std::optional<Secret> prepare(std::string_view text)
{
    if (base::is_ascii(text)) {
        // Nothing of ASCII is mapped; and what never reaches the library leaves no copy in its memory.
        if (!std::ranges::all_of(text, base::is_print)) return std::nullopt;
        return Secret(text);
    }
    if (text.find('\0') != text.npos || !base::is_valid_utf8(text)) return std::nullopt;
    // NFKC makes eighteen characters of one at most (U+FDFA); four bytes of text make one character at least.
    Secret work;
    std::string& buffer = work.buffer();
    buffer.reserve(text.size() * 12 + 16);
    buffer = text;
    buffer.resize(text.size() * 12 + 16, '\0');
    if (::stringprep(buffer.data(), buffer.size(), static_cast<Stringprep_profile_flags>(0), stringprep_saslprep) !=
        STRINGPREP_OK) {
        return std::nullopt;
    }
    return Secret(std::string_view(buffer.c_str()));
}

}  // namespace ekiden::sasl
