// Text that is not ASCII as RFC 2047 encoded words, fit for a phrase and for a comment: "=?utf-8?Q?J=C3=BCrgen?=". Pure.
#pragma once

#include <string>
#include <string_view>

namespace ekiden::mime {

// Words of at most 75 characters (section 2), separated by a space; none ends within a UTF-8 character. ASCII text
// without control characters stays as it is. A charset that is no token is "utf-8".
std::string encode_words(std::string_view text, std::string_view charset = "utf-8");

}  // namespace ekiden::mime
