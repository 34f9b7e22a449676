// Variable envelope return path: a sender address for each recipient, so that a bounce tells whom it is about without
// being read. "owner-list@origin" to "user@domain" with "+=" is "owner-list+user=domain@origin". Pure.
#pragma once

#include <string>
#include <string_view>

namespace ekiden::mail {

// `delimiters` are two characters. The null sender stays what it is.
std::string verp_sender(std::string_view delimiters, std::string_view sender, std::string_view recipient);

// Two characters of `allowed` (verp_delimiter_filter).
bool are_verp_delimiters(std::string_view text, std::string_view allowed);

}  // namespace ekiden::mail
