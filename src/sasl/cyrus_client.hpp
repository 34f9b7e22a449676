// libsasl2, the client's side of it, in the engine's own process: it only computes, and its plug-ins are loaded once.
// Thread: any; an attempt has one owner (client.hpp).
#pragma once

#include "sasl/client.hpp"

namespace ekiden::sasl {

// Loads the plug-ins; the first call does it, before any Client is made. Blocks; any thread.
Result<void> open_cyrus_client();

// Is there a plug-in for it? After open_cyrus_client().
bool cyrus_client_knows(std::string_view mechanism);

// SCRAM lets the server say how long the client computes; above this the answer is no.
inline constexpr unsigned long most_scram_iterations = 1'000'000;
// "r=…,s=…,i=4096": the count; 0 when this is no such message.
unsigned long scram_iterations(std::string_view server_first);

}  // namespace ekiden::sasl
