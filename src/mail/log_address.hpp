// An address as log lines show it (info_log_address_format): external, "a b"@example.com, or as Postfix before 3.5 did,
// a b@example.com. One choice for the process, made when settings come into force; any thread may ask.
#pragma once

#include <string>
#include <string_view>

namespace ekiden::mail {

void use_log_address_form(bool is_internal);
std::string log_address(std::string_view internal);

}  // namespace ekiden::mail
