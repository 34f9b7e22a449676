// Mail addresses in their two forms. Internal: local part without quotes, "@", domain ("a b@example.com"), as stored in
// envelopes and looked up in tables. External: RFC 5321/5322 quoting where needed ("\"a b\"@example.com"), as sent and
// printed. The last "@" separates. Pure; thread: values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ekiden::mail {

// Views into an internal-form address. `has_domain` tells "user" from "user@".
struct AddressParts {
    std::string_view local, domain;
    bool has_domain = false;
};
AddressParts split_address(std::string_view internal);

std::string quote_address(std::string_view internal);     // internal → external
std::string quote_local_part(std::string_view local);
// external → internal: undoes quotes and escapes, drops a source route "@a,@b:".
std::string unquote_address(std::string_view external);

// "user+ext" → {"user", "+ext"} by `recipient_delimiter` (a set of characters; the first that occurs wins).
// "owner-x" and "x-request" are not split on '-' (as documented for owner_request_special); no split of "double-bounce",
// "mailer-daemon" and "postmaster"-like specials where Postfix documents that.
std::pair<std::string_view, std::string_view> split_extension(std::string_view local, std::string_view recipient_delimiter);

// Domain names: RFC 1035/1123 hostname rules as Postfix checks them (no trailing dot, labels <= 63, no "-" at the ends).
bool is_valid_hostname(std::string_view name);
bool is_valid_address_literal(std::string_view text);    // "[127.0.0.1]", "[IPv6:…]"
// Lower case, IDN to A-labels where the text is UTF-8; nothing when the name cannot be a domain.
std::optional<std::string> to_ascii_domain(std::string_view domain);

}  // namespace ekiden::mail
