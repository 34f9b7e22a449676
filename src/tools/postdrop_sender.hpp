// local_login_sender_maps: which envelope senders a local user may give. The tables know login names ("uid:1000" for a
// user without one) and answer with patterns: "*", "@domain", an address without extension, or
// $empty_address_local_login_sender_maps_lookup_key for the null sender. Whoever no table knows may give none.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <string_view>

#include <sys/types.h>

namespace ekiden::tools {

struct SenderPatterns {
    std::string_view patterns;       // as the table has them, separated by spaces and commas
    std::string_view empty_word;     // what stands for the null sender
    std::string_view delimiters;     // recipient_delimiter
    bool has_owners = true;          // owner_request_special
};
// Pure. `sender` in internal form.
bool is_allowed_sender(const SenderPatterns& allowed, std::string_view sender);

// Nothing, or why `sender` is refused: "not authorized to use sender='x'". A table that does not answer refuses.
std::string find_sender_problem(const config::Settings& settings, uid_t uid, std::string_view sender);

}  // namespace ekiden::tools
