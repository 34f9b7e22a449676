// An SSL_CTX for one service and one state of its certificate files, with what a connection needs beside it. Immutable
// once made; shared by the cores and kept by the connections that began with it.
#pragma once

#include "net/task.hpp"
#include "tls/credentials.hpp"
#include "tls/openssl.hpp"
#include "tls/server_options.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::net {
class BlockingPool;
}

namespace ekiden::tls {

class Context {
public:
    struct Parts;
    explicit Context(std::unique_ptr<Parts> parts);
    ~Context();
    Context(const Context&) = delete;

    SSL_CTX* handle() const;
    const ServerOptions& options() const;
    const Identities& identities() const;

    // What tls_server_sni_maps says about a name the client asked for; the name as sent. Nothing: use our usual chain.
    // Trouble: the table or what it names cannot be used; say so in the log and use the usual chain, as Postfix does.
    // Coroutine of any core; files are read on the pool.
    Task<Result<IdentitiesPtr>> find_identities(std::string server_name) const;

private:
    std::unique_ptr<const Parts> parts_;
};
using ContextPtr = std::shared_ptr<const Context>;

// Reads the files; blocking. The error is Postfix's sentence for it ("No server certs available. TLS won't be enabled").
// `options.troubles` must be empty.
Result<ContextPtr> make_context(const ServerOptions& options, std::vector<std::string>& warnings);

// The chain that a value of tls_server_sni_maps stands for: files, or their content as "postmap -F" writes it. Blocks.
Result<Identities> load_named_identities(const std::string& value);

// Is this a cipher that session tickets can be sealed with?
bool is_ticket_cipher(const std::string& name);

// For file reading off the event loops; without one (tests, commands) the caller's thread does it. Set once at start,
// taken back (nullptr) before the pool goes.
void use_blocking_pool(net::BlockingPool* pool);
net::BlockingPool* blocking_pool();

// Where the callbacks of a context find the connection that an SSL belongs to (engine.cpp sets it).
struct SslOwner {
    virtual ~SslOwner() = default;
    // The chain for the name that the client asked for is wanted now: true when it is known (or none is needed), false to
    // suspend the handshake until it is.
    virtual bool choose_identities() = 0;
    // smtpd_tls_loglevel 2 and up.
    virtual void note_certificate(int depth, bool is_good, X509_STORE_CTX* store) = 0;
    virtual void note_ticket(bool is_issued, long expires_at) = 0;
};
void set_owner(SSL* ssl, SslOwner* owner);
SslOwner* owner_of(const SSL* ssl);

// Puts a chain into one connection, instead of its context's own; or into a new context.
bool use_identities(SSL* ssl, const Identities& identities);
Result<void> use_identities(SSL_CTX* context, const Identities& identities);

// Whom we trust: what is in the file and the directory ("" = none), and the system's own where that is wanted. Blocks.
Result<void> load_authorities(SSL_CTX* context, const std::string& ca_file, const std::string& ca_path,
                              bool trusts_default);

}  // namespace ekiden::tls
