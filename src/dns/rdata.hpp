// DNS names and record data in wire form (RFC 1035 3.1, 3.3). Pure, bounded: malformed data is refused, never guessed.
#pragma once

#include "dns/resolver.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace ekiden::dns {

// An uncompressed name at the start of `wire`, advancing it. Lower case, no final dot, "" for the root; labels with
// bytes that no host name has are refused.
std::optional<std::string> take_name(std::string_view& wire);
// One record's data as the resolver hands it out; nothing when it is malformed.
std::optional<Record> parse_rdata(Type type, std::string_view data);
// May this text be asked for at all? At most 253 bytes, labels of 1 to 63, printable ASCII.
bool is_askable(std::string_view name);

}  // namespace ekiden::dns
