// What libsasl2's server and client side share: its mutexes, its log lines, its connections and its words for what a
// mechanism is good for. Thread: any; a Listening belongs to the thread that made it.
#pragma once

#include "sasl/mechanism.hpp"

#include <sasl/sasl.h>

#include <memory>
#include <string>
#include <vector>

namespace ekiden::sasl {

// Makes the library safe for threads. Before sasl_server_init() or sasl_client_init().
void give_cyrus_mutexes();

// Collects the lines that the library says while this thread is in it (it passes no usable context for those of its
// plug-ins): twenty at most, printable, without those that trace, because they may show passwords. `names_level` puts
// "warning: " or "info: " in front and lets informal lines in; else only troubles are heard.
class Listening {
public:
    explicit Listening(std::vector<std::string>& lines, bool names_level = false);
    ~Listening();
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;
};

using CyrusCallback = int (*)();
template <class F>
CyrusCallback as_callback(F* function)
{
    return reinterpret_cast<CyrusCallback>(reinterpret_cast<void*>(function));
}

// For sasl_server_init(), sasl_client_init() and connections that need nothing more: lines go to the Listening.
extern const sasl_callback_t log_callbacks[];

struct DisposeConnection {
    void operator()(sasl_conn_t* connection) const { ::sasl_dispose(&connection); }
};
using CyrusConnection = std::unique_ptr<sasl_conn_t, DisposeConnection>;

// A property, and the library's flag that demands it (of a strength) or forbids it (of a weakness).
struct CyrusFlag {
    Property property;
    unsigned flag;
};
inline constexpr CyrusFlag cyrus_flags[] = {
    {plaintext, SASL_SEC_NOPLAINTEXT},   {active, SASL_SEC_NOACTIVE},
    {dictionary, SASL_SEC_NODICTIONARY}, {anonymous, SASL_SEC_NOANONYMOUS},
    {forward_secrecy, SASL_SEC_FORWARD_SECRECY}, {mutual_auth, SASL_SEC_MUTUAL_AUTH},
};

// What the site demands of this connection; and no security layer of SASL's own (max_ssf 0): SMTP has TLS for that.
// SASL_OK, or the library's status.
int demand(sasl_conn_t* connection, Properties security);

}  // namespace ekiden::sasl
