// Base64 (RFC 4648, section 4) of what may be a password: no table lookups by secret values, and the one who decodes
// says where the bytes go. Pure.
#pragma once

#include "sasl/secret.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace ekiden::sasl {

std::string encode_base64(std::string_view bytes);

// Strict: whole groups of four, padding at the end only, nothing else in between. Nothing when `text` is not that.
std::optional<Secret> decode_base64(std::string_view text);

}  // namespace ekiden::sasl
