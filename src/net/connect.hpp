// Outgoing connections with a source address and a time limit. Errors carry Postfix's reason words ("Connection
// refused", "Connection timed out", "Network is unreachable") as their text.
#pragma once

#include "net/stream.hpp"

namespace ekiden::net {

struct ConnectOptions {
    std::chrono::seconds time_limit{30};
    std::optional<Address> bind_address;     // smtp_bind_address(6) of the right family
    bool is_bind_required = true;            // smtp_bind_address_enforce: else the system chooses when it cannot be had
};
Task<Result<StreamPtr>> connect_tcp(Endpoint to, ConnectOptions options);
// Where the server has too many waiting already, it waits for its turn.
Task<Result<StreamPtr>> connect_unix(std::string path, std::chrono::seconds time_limit);

}  // namespace ekiden::net
