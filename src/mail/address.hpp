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

std::string quote_address(std::string_view internal);     // internal → external; "" stays ""
std::string quote_local_part(std::string_view local);     // "" becomes two quotes
bool needs_quotes(std::string_view local);  // is not a dot-string of RFC 5321 (bytes above 127 are welcome)
// external → internal: undoes quotes and escapes, drops comments and a source route "@a,@b:"; with "<…>" in the text,
// what stands between them.
std::string unquote_address(std::string_view external);

// "user+ext" → {"user", "+ext"} by `recipient_delimiter` (a set of characters; the first that occurs wins; never the
// first character of the local part). "double-bounce", "mailer-daemon" and "postmaster" are never split. With '-' in the
// set, "owner-x" and "x-request" are not split when `owner_request_special` holds.
std::pair<std::string_view, std::string_view>
split_extension(std::string_view local, std::string_view recipient_delimiter, bool owner_request_special = true);

// Domain names: RFC 1035/1123 hostname rules as Postfix checks them (labels of 1 to 63 characters, 255 in all, no "-" at
// the ends of a label, no trailing dot, not numbers only; "_" is welcome, UTF-8 is as long as IDNA can encode it).
bool is_valid_hostname(std::string_view name);
// What is wrong with it, for the log ("invalid character 227(decimal): …"), or nothing.
std::optional<std::string> hostname_fault(std::string_view name);
bool is_valid_address_literal(std::string_view text);    // "[127.0.0.1]", "[IPv6:…]"
bool is_numeric_domain(std::string_view domain);         // "127.0.0.1" without brackets
// Lower case, IDN to A-labels where the text is UTF-8; nothing when the name cannot be a domain.
std::optional<std::string> to_ascii_domain(std::string_view domain);

}  // namespace ekiden::mail
