// Who is meant by the name that a client gives, and what stands in for a login that does not exist, so that nobody can
// find out by logging in which names do. Pure but for the random secret of this process; thread: any.
#pragma once

#include "sasl/builtin_file.hpp"
#include "sasl/password_file.hpp"

#include <string>
#include <string_view>

namespace ekiden::sasl {

// A name as a client gave it, and the login that it stands for, if there is one.
struct Candidate {
    PasswordFilePtr file;            // keeps `login`
    const Login* login = nullptr;    // null: unknown
    std::string given;               // prepared
    std::string full;                // with the realm: what is said of an unknown one
    std::string realm;

    const std::string& name() const { return login ? login->name : full; }
    // Is `other`, looked up the same way, the same login? Of an unknown one nothing is.
    bool is_called(std::string_view other) const;
};

// `name` has any shape and length. Without @ it is looked up with the realm, then bare.
Candidate look_up(PasswordFilePtr file, std::string_view name, std::string_view realm);

// What an unknown name's password is compared with: somebody's verifier, so that it takes as long as for a known name.
// Whether it fits says nothing.
Login decoy_login(const Candidate& candidate);

// What an unknown name is challenged with: a verifier that no password fits, with a salt and a count of the kind that
// the file has, the same ones each time.
ScramVerifier decoy_verifier(const Candidate& candidate);

// From the generator for keys.
std::string random_bytes(std::size_t size);

}  // namespace ekiden::sasl
