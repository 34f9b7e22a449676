// A TLS client of OpenSSL's own over a stream, for the other end of a test.
#pragma once

#include "net/stream.hpp"
#include "tls/context.hpp"
#include "tls/engine.hpp"
#include "unit/tls/certificates.hpp"

#include <openssl/err.h>

#include <optional>

namespace ekiden::tls::test {

struct ClientSetup {
    int lowest = 0, highest = 0;
    const char* ciphers = nullptr;          // up to TLS 1.2
    const Made* certificate = nullptr;
    std::string server_name;
    SSL_SESSION* session = nullptr;         // to resume
    bool wants_tickets = true;
};

class Client {
public:
    Client(net::StreamPtr below, const ClientSetup& setup)
        : below_(std::move(below)), context_(SSL_CTX_new(TLS_client_method()))
    {
        SSL_CTX_set_security_level(context_.get(), 0);
        SSL_CTX_clear_options(context_.get(), SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1);
        SSL_CTX_set_min_proto_version(context_.get(), setup.lowest);
        SSL_CTX_set_max_proto_version(context_.get(), setup.highest);
        if (setup.ciphers) SSL_CTX_set_cipher_list(context_.get(), setup.ciphers);
        if (!setup.wants_tickets) SSL_CTX_set_options(context_.get(), SSL_OP_NO_TICKET);
        SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        if (setup.certificate) {
            SSL_CTX_use_certificate(context_.get(), setup.certificate->certificate.get());
            SSL_CTX_use_PrivateKey(context_.get(), setup.certificate->key.get());
        }
        ssl_.reset(SSL_new(context_.get()));
        if (!setup.server_name.empty()) SSL_set_tlsext_host_name(ssl_.get(), setup.server_name.c_str());
        if (setup.session) SSL_set_session(ssl_.get(), setup.session);
        in_ = BIO_new(BIO_s_mem());
        out_ = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl_.get(), in_, out_);
        SSL_set_connect_state(ssl_.get());
    }

    SSL* ssl() { return ssl_.get(); }
    net::Stream& below() { return *below_; }

    Task<Result<void>> connect()
    {
        for (;;) {
            ERR_clear_error();
            const int result = SSL_do_handshake(ssl_.get());
            const int error = SSL_get_error(ssl_.get(), result);
            EKIDEN_CO_TRY(co_await flush());
            if (result == 1) co_return Result<void>{};
            if (error != SSL_ERROR_WANT_READ) co_return fail(ErrorCode::protocol, "client's handshake failed");
            EKIDEN_CO_TRY(co_await fill());
        }
    }
    // `size` bytes, or until the end ("" in the error's place).
    Task<Result<std::string>> read(std::size_t size)
    {
        std::string got;
        while (got.size() < size) {
            char buffer[32768];
            ERR_clear_error();
            const int count =
                SSL_read(ssl_.get(), buffer, static_cast<int>(std::min(sizeof buffer, size - got.size())));
            if (count > 0) {
                got.append(buffer, static_cast<std::size_t>(count));
                continue;
            }
            const int error = SSL_get_error(ssl_.get(), count);
            EKIDEN_CO_TRY(co_await flush());
            if (error == SSL_ERROR_ZERO_RETURN) co_return fail(ErrorCode::closed, "close_notify");
            if (error != SSL_ERROR_WANT_READ) co_return fail(ErrorCode::protocol, "client's reading failed");
            EKIDEN_CO_TRY(co_await fill());
        }
        co_return got;
    }
    Task<Result<void>> write(std::string bytes)
    {
        if (!bytes.empty() && SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0)
            co_return fail(ErrorCode::protocol, "client's writing failed");
        co_return co_await flush();
    }
    Task<Result<void>> flush()
    {
        std::string bytes(BIO_ctrl_pending(out_), '\0');
        if (bytes.empty()) co_return Result<void>{};
        BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
        co_return co_await below_->write(bytes);
    }

private:
    Task<Result<void>> fill()
    {
        char buffer[4096];
        EKIDEN_CO_TRY_VALUE(count, co_await below_->read_some(buffer));
        BIO_write(in_, buffer, static_cast<int>(count));
        co_return Result<void>{};
    }
    net::StreamPtr below_;
    UniqueContext context_;
    UniqueSsl ssl_;
    BIO *in_ = nullptr, *out_ = nullptr;
};

// What the settings would make of a usual server.
inline ServerOptions usual_options(const std::vector<std::string>& chain_files)
{
    ServerOptions options;
    options.level = ServerOptions::Level::may;
    options.credentials.chain_files = chain_files;
    options.grade = "medium";
    options.ciphers = "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH";
    options.groups = "X25519:X448:prime256v1:secp384r1:secp521r1";
    options.protocols.lowest = TLS1_VERSION;
    options.ticket_cipher = "aes-256-cbc";
    options.digest = "sha256";
    options.scope = "mail.example.test/smtp";
    return options;
}

inline ContextPtr context_of(const ServerOptions& options)
{
    std::vector<std::string> warnings;
    auto made = make_context(options, warnings);
    if (!made) throw std::runtime_error(made.error().text());
    return *made;
}

}  // namespace ekiden::tls::test
