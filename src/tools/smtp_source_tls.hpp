// TLS on a non-blocking socket, for programs that measure servers and clients. The client takes whatever certificate it is
// shown and resumes no session, so that every connection costs the server a whole handshake. Never for mail that matters:
// the server's own TLS is in tls/. Thread: the loop's only.
#pragma once

#include "tls/openssl.hpp"

#include <span>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace ekiden::tools {

// One for all connections of a run. The process ignores SIGPIPE from then on: OpenSSL writes without MSG_NOSIGNAL.
Result<tls::UniqueContext> make_tls_client();
// The same for a server; the PEM file holds the key and the certificate with its chain.
Result<tls::UniqueContext> make_tls_server(const std::string& file);

class TlsChannel {
public:
    enum class Progress { done, wants_bytes, wants_room, failed };

    bool is_on() const { return ssl_ != nullptr; }
    enum class Side { client, server };
    // `fd` is connected and outlives the channel, or close() comes first.
    Result<void> open(SSL_CTX* context, int fd, Side side = Side::client);
    void close() { ssl_.reset(); }
    // Tells the peer that nothing follows, if there is room for it now.
    void say_goodbye();
    Progress shake_hands();

    // As recv(2) and send(2): -1 with EAGAIN when the socket must be waited for, -1 with EPROTO for a broken connection.
    ssize_t read(std::span<char> buffer);
    ssize_t write(std::string_view bytes);
    // Bytes that have left the socket and wait in here, where epoll does not see them: read again.
    bool has_more() const { return ssl_ && SSL_has_pending(ssl_.get()) == 1; }

    // "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384".
    std::string description() const;

private:
    tls::UniqueSsl ssl_;
};

}  // namespace ekiden::tools
