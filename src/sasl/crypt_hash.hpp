// crypt(3) hashes of passwords: which ones may stand in a password file, comparing with one, making one.
//
// The kinds that still hold: yescrypt ($y$), scrypt ($7$), bcrypt ($2a$ $2b$ $2y$), SHA-512 and SHA-256 ($6$ $5$). What
// one hash may cost is bounded, because whoever can reach the server can have it computed: about a second, 128 MiB.
// Passwords are taken byte for byte, as the programs do whose hashes these are; longer ones than 511 bytes match none.
// Thread: any; compare and make take milliseconds to a second and belong on a pool.
#pragma once

#include "base/result.hpp"
#include "sasl/secret.hpp"

#include <string>
#include <string_view>

namespace ekiden::sasl {

// Does it begin like one ("$")? Else it is no crypt(3) hash that we would know.
inline bool is_crypt_like(std::string_view hash) { return hash.starts_with('$'); }

// Trouble says why it is refused.
Result<void> check_crypt_hash(std::string_view hash);

// `hash` passed the check. unavailable when the library could not compute it (memory): neither right nor wrong.
Result<bool> compare_with_crypt_hash(std::string_view hash, const Secret& password);

// With the library's preferred kind (yescrypt) and cost.
Result<std::string> make_crypt_hash(const Secret& password);

}  // namespace ekiden::sasl
