// Address lists of RFC 5322 as people and programs write them: groups, phrases, comments, routes, missing quotes.
//
// Nothing is ever refused: what is not understood is left as it stands. To rewrite a field, find the addresses, decide
// about each, and put the new ones in their places; phrases and comments stay. Pure; thread: values.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::mime {

struct AddressSpan {
    std::size_t begin, end;   // of the address in the text, without angle brackets
    std::string address;      // internal form
};

struct AddressList {
    std::vector<AddressSpan> addresses;
    std::size_t parsed = 0;   // bytes looked at: less than all when the token limit was reached
};

// Words that follow each other without a comma are addresses of their own unless "<" follows ("User One <user1>").
AddressList find_addresses(std::string_view text, std::size_t token_limit = 10240);

// The addresses alone, internal form (sendmail -t and its command line, alias right-hand sides).
std::vector<std::string> parse_address_list(std::string_view text, std::size_t token_limit = 10240);

// The text with `replacements` (internal form, one for each address) in their places, unfolded and folded again at
// commas where a line would pass `line_limit` characters, `column` of which stand before the text ("To:"); text behind the
// token limit is cut off. Postfix breaks at the same place.
std::string replace_addresses(std::string_view text, const AddressList& list, std::span<const std::string> replacements,
                              std::size_t column = 0, std::size_t line_limit = 69);

// A name in front of <address>: as it is when it is made of atoms, else in quotes.
std::string quote_phrase(std::string_view name);

}  // namespace ekiden::mime
