#include "tools/smtp_source_tls.hpp"

#include <fmt/format.h>
#include <openssl/err.h>

#include <cerrno>
#include <csignal>

namespace ekiden::tools {

namespace {

Result<tls::UniqueContext> make_context(const SSL_METHOD* method)
{
    ::signal(SIGPIPE, SIG_IGN);
    tls::UniqueContext context(SSL_CTX_new(method));
    if (!context) return fail(ErrorCode::unavailable, "TLS: " + tls::take_openssl_reason("cannot be had"));
    // The rest of a message stays where it is between two tries, but the string around it may have moved.
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context.get(), 1);  // one read for a record's header and its body
    return context;
}

}  // namespace

Result<tls::UniqueContext> make_tls_server(const std::string& file)
{
    EKIDEN_TRY_VALUE(context, make_context(TLS_server_method()));
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION);
    if (SSL_CTX_use_certificate_chain_file(context.get(), file.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(context.get(), file.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context.get()) != 1)
        return fail(ErrorCode::unavailable,
                    fmt::format("{}: {}", file, tls::take_openssl_reason("no key and certificate")));
    return std::move(context);
}

Result<tls::UniqueContext> make_tls_client()
{
    EKIDEN_TRY_VALUE(context, make_context(TLS_client_method()));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
    // That alone would look at the chain all the same and take no notice of the result.
    SSL_CTX_set_cert_verify_callback(context.get(), [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    return std::move(context);
}

Result<void> TlsChannel::open(SSL_CTX* context, int fd, Side side)
{
    ssl_.reset(SSL_new(context));
    if (!ssl_ || SSL_set_fd(ssl_.get(), fd) != 1) {
        ssl_.reset();
        return fail(ErrorCode::unavailable, "TLS: " + tls::take_openssl_reason("cannot be started"));
    }
    if (side == Side::client) SSL_set_connect_state(ssl_.get());
    else SSL_set_accept_state(ssl_.get());
    return {};
}

void TlsChannel::say_goodbye()
{
    if (!ssl_ || !SSL_is_init_finished(ssl_.get())) return;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
}

TlsChannel::Progress TlsChannel::shake_hands()
{
    ERR_clear_error();
    const int status = SSL_do_handshake(ssl_.get());
    if (status == 1) return Progress::done;
    switch (SSL_get_error(ssl_.get(), status)) {
    case SSL_ERROR_WANT_READ: return Progress::wants_bytes;
    case SSL_ERROR_WANT_WRITE: return Progress::wants_room;
    default: return Progress::failed;
    }
}

ssize_t TlsChannel::read(std::span<char> buffer)
{
    ERR_clear_error();
    std::size_t count = 0;
    const int status = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &count);
    if (status == 1) return static_cast<ssize_t>(count);
    switch (SSL_get_error(ssl_.get(), status)) {
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_WANT_READ: errno = EAGAIN; return -1;
    default: errno = EPROTO; return -1;
    }
}

ssize_t TlsChannel::write(std::string_view bytes)
{
    ERR_clear_error();
    std::size_t count = 0;
    const int status = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count);
    if (status == 1) return static_cast<ssize_t>(count);
    errno = SSL_get_error(ssl_.get(), status) == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
    return -1;
}

std::string TlsChannel::description() const
{
    return fmt::format("{} with cipher {}", SSL_get_version(ssl_.get()), SSL_get_cipher_name(ssl_.get()));
}

}  // namespace ekiden::tools
