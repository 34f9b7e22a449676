// SASLprep (RFC 4013): user names and passwords in the one form in which they are compared. Pure.
#pragma once

#include "sasl/secret.hpp"

#include <optional>
#include <string_view>

namespace ekiden::sasl {

// Nothing when `text` is not UTF-8 or holds what is prohibited (control characters among it). Characters that Unicode
// 3.2 did not know are let through, as in a query: else newer letters could not be in passwords at all.
std::optional<Secret> prepare(std::string_view text);

}  // namespace ekiden::sasl
