// TLS to other servers: the context with our certificates and authorities, renewed when the files are, and handshakes by
// policy. Sessions are remembered in memory (one cache for a service, bounded) and resumed with the server they are from,
// under the same policy only; what was found out about its certificate is remembered with them.
//
// Thread: any.
#pragma once

#include "base/clock.hpp"
#include "base/locked.hpp"
#include "base/log.hpp"
#include "tls/client_options.hpp"
#include "tls/engine.hpp"

#include <atomic>
#include <memory>
#include <string>

namespace ekiden::tls {

class ClientContext;

class Client {
public:
    static constexpr std::chrono::seconds look_interval{3};

    // Reads the files; blocking. Trouble is logged and makes TLS unavailable until the files are mended.
    static std::shared_ptr<Client> make(ClientOptions options, Logger log);
    Client(ClientOptions options, Logger log);
    ~Client();

    const ClientOptions& options() const { return options_; }

    struct Secured {
        ConnectionPtr connection;
        bool is_trusted = false;    // the certificate is the one that was expected; below `fingerprint`: nothing was
        bool is_matched = false;    // by name or fingerprint
    };
    // Is there a context to shake hands with?
    Task<bool> is_available();
    // The handshake over `below`, which is used up. `peer` is "mx.example.com[192.0.2.1]:25", for the log and for the
    // cache. What happened has been logged. Whether the certificate suffices is the caller's to ask.
    Task<Result<Secured>> shake_hands(net::StreamPtr below, ClientPolicy policy, std::string peer);

private:
    using ContextPtr = std::shared_ptr<const ClientContext>;
    struct Active {
        ContextPtr context;
        std::string state;          // of the files, before they were read
        bool has_looked = false;
    };
    Task<ContextPtr> context();
    void look();
    void load(Active& active);

    const ClientOptions options_;
    const Logger log_;
    base::Locked<Active> active_;
    std::atomic<std::int64_t> look_at_{0};
};
using ClientPtr = std::shared_ptr<Client>;

}  // namespace ekiden::tls
