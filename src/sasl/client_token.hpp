// Logging in with a bearer token: OAUTHBEARER (RFC 7628) and XOAUTH2. The password of the request is the token, or, when
// it begins with "/", the name of a file that holds it: the token alone, or JSON with "access_token" as OAuth servers
// answer and as sasl-xoauth2 writes it. The file is read for each login, so that whoever renews the token need not tell.
#pragma once

#include "sasl/client.hpp"

namespace ekiden::sasl {

inline constexpr std::size_t longest_token = 16384;

// The one of `offered` (separated by spaces) that takes a token, OAUTHBEARER first; "" when there is none.
std::string token_mechanism(std::string_view offered);

// What a token file says. Errors do not quote it.
Result<Secret> parse_token(std::string_view content);

// `pool` reads the file; may be null in tests.
std::unique_ptr<Client> make_token_client(ClientRequest request, net::BlockingPool* pool);

}  // namespace ekiden::sasl
