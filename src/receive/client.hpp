// Who is the client? Address → PTR name → does that name have this address? Only a name that does is shown and trusted;
// the unverified one is kept beside it. DNS trouble is "temporary", never "has no name".
#pragma once

#include "base/log.hpp"
#include "check/facts.hpp"
#include "dns/resolver.hpp"

namespace ekiden::receive {

// Fills the four name fields of `facts` from facts.client_address; logs Postfix's warnings about names that do not hold.
// `facts` and `resolver` are the caller's for as long as it takes.
Task<void> verify_client_name(check::Facts& facts, dns::Resolver& resolver, const Logger& logger);

// What HELO says, fit to stand in logs, replies and header lines.
std::string neutral_name(std::string_view name);

}  // namespace ekiden::receive
