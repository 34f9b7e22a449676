// How one logical line of a map's source becomes a key and a value: the grammar of postmap (texthash, hash, …) and of
// postalias. Pure; thread: any.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace ekiden::table {

struct Entry {
    std::string key;    // as written, case kept
    std::string value;
    std::string remark;  // not empty: a warning that does not stop the entry
};

// `key whitespace value`. White space inside "…" or after a backslash belongs to the key; quotes stay in the key. The
// error is the text after "file, line N: ".
std::expected<Entry, std::string> parse_map_entry(std::string_view line);

// `name: value, value…` (aliases(5)). Quotes of the name are taken off; the value is printed back in a normal form
// (", " between members, one blank between words).
std::expected<Entry, std::string> parse_alias_entry(std::string_view line);

}  // namespace ekiden::table
