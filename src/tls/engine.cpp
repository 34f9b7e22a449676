#include "tls/engine.hpp"

#include "base/text.hpp"
#include "tls/handshake_turns.hpp"
#include "tls/peer.hpp"
#include "tls/trace.hpp"
#include "tls/words.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace ekiden::tls {

namespace {

// What waits for the next bytes of an idle connection; grows while they come in bulk, up to a whole record.
constexpr std::size_t idle_buffer = 512, middle_buffer = 4096, largest_buffer = 16384 + 512;
constexpr std::size_t record_size = 16384;
// Sealed bytes that are gathered for one write.
constexpr std::size_t gathered_output = 4 * record_size;
constexpr std::chrono::seconds goodbye_limit{1};
// Of handshake messages behind the handshake: tickets and changes of keys. A mail session has no use for ten; each change
// costs us far more than its forty bytes cost who sends it.
constexpr unsigned most_late_messages = 64;

class Layer;
BIO_METHOD* bio_method();
void on_message(int is_sent, int version, int kind, const void* bytes, std::size_t size, SSL* ssl, void* layer);

class Layer : public Connection, private SslOwner {
public:
    Layer(net::StreamPtr below, ContextPtr context, Witness witness)
        : below_(std::move(below)), keeper_(context), context_(std::move(context)), witness_(std::move(witness))
    {
    }
    Layer(net::StreamPtr below, UniqueSsl ssl, std::shared_ptr<const void> keeper, Witness witness)
        : below_(std::move(below)), keeper_(std::move(keeper)), witness_(std::move(witness))
    {
        use(std::move(ssl));
    }
    void use(UniqueSsl ssl)
    {
        if (!ssl) throw std::bad_alloc();
        ssl_ = std::move(ssl);
        BIO* bio = BIO_new(bio_method());
        if (!bio) throw std::bad_alloc();
        BIO_set_data(bio, this);
        BIO_set_init(bio, 1);
        SSL_set_bio(ssl_.get(), bio, bio);
        set_owner(ssl_.get(), this);
        SSL_set_msg_callback(ssl_.get(), on_message);
        SSL_set_msg_callback_arg(ssl_.get(), this);
        if (witness_.bits & log_verbose) trace_states(ssl_.get(), *witness_.log);
    }

    // Connection
    Task<Result<void>> accept() override;
    Task<Result<void>> connect() override;
    const Summary& summary() const override { return summary_; }
    const std::vector<std::string>& failures() const override { return failures_; }
    Task<void> say_goodbye() override;
    std::string server_end_point() const override
    {
        return ssl_ ? server_end_point_of(SSL_get_certificate(ssl_.get())) : std::string();
    }
    std::string exporter() const override;

    // Stream
    Task<Result<std::size_t>> read_some(std::span<char> buffer) override;
    Task<Result<void>> write(std::span<const std::string_view> pieces) override;
    void set_deadline(SteadyTime at) override { below_->set_deadline(at); }
    void close() override { below_->close(); }
    bool has_unread_bytes() override
    {
        return begin_ < end_ || (ssl_ && SSL_has_pending(ssl_.get())) || below_->has_unread_bytes();
    }
    net::Executor executor() override { return below_->executor(); }
    int native_handle() override { return below_->native_handle(); }

    // The wire as OpenSSL sees it.
    std::size_t take(char* to, std::size_t size)
    {
        const std::size_t count = std::min(size, end_ - begin_);
        std::memcpy(to, input_.data() + begin_, count);
        begin_ += count;
        if (is_dumping()) dump_bytes(*witness_.log, "read from", {to, count}, size);
        return count;
    }
    void put(const char* from, std::size_t size)
    {
        output_.append(from, size);
        if (is_dumping()) dump_bytes(*witness_.log, "write to", {from, size}, size);
    }

    void note_handshake_message() { late_messages_ += is_established_ ? 1 : 0; }

private:
    bool is_dumping() const
    {
        return (witness_.bits & log_everything) || ((witness_.bits & log_packets) && !is_established_);
    }
    Task<Result<void>> shake_hands();
    Task<Result<void>> hear_first_record();
    Task<Result<void>> fill();
    Task<Result<void>> flush();
    std::unexpected<Error> broken(std::string_view when);

    // SslOwner
    bool choose_identities() override;
    void note_certificate(int depth, bool is_good, X509_STORE_CTX* store) override;
    void note_ticket(bool is_issued, long expires_at) override;
    Task<void> find_identities();

    net::StreamPtr below_;
    std::shared_ptr<const void> keeper_;    // of the SSL_CTX
    ContextPtr context_;                    // of a server
    Witness witness_;
    UniqueSsl ssl_;                         // of a server: null until the client has said its first record
    std::string input_, output_;
    std::size_t begin_ = 0, end_ = 0;
    Summary summary_;
    std::vector<std::string> failures_;
    std::string server_name_;               // that the client asked for
    std::optional<IdentitiesPtr> chosen_;   // for it; null: the usual ones
    unsigned late_messages_ = 0;            // that came once it was established
    bool is_established_ = false, is_broken_ = false, has_opened_ticket_ = false;
};

void on_message(int is_sent, int, int kind, const void*, std::size_t, SSL*, void* layer)
{
    if (!is_sent && kind == SSL3_RT_HANDSHAKE) static_cast<Layer*>(layer)->note_handshake_message();
}

int bio_read(BIO* bio, char* to, int size)
{
    BIO_clear_retry_flags(bio);
    const std::size_t count =
        size > 0 ? static_cast<Layer*>(BIO_get_data(bio))->take(to, static_cast<std::size_t>(size)) : 0;
    if (count > 0) return static_cast<int>(count);
    BIO_set_retry_read(bio);
    return -1;
}

int bio_write(BIO* bio, const char* from, int size)
{
    BIO_clear_retry_flags(bio);
    if (size <= 0) return 0;
    static_cast<Layer*>(BIO_get_data(bio))->put(from, static_cast<std::size_t>(size));
    return size;
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* bio_method()
{
    static BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
        if (!made) throw std::bad_alloc();
        BIO_meth_set_read(made, bio_read);
        BIO_meth_set_write(made, bio_write);
        BIO_meth_set_ctrl(made, bio_control);
        return made;
    }();
    return method;
}

Task<Result<void>> Layer::fill()
{
    // Everything was taken: the buffer may change its size to what came last time.
    if (begin_ == end_) {
        const bool was_full = end_ > 0 && end_ == input_.size();
        if (was_full) input_.resize(input_.size() < middle_buffer ? middle_buffer : largest_buffer);
        else if (input_.empty() || (input_.size() > idle_buffer && end_ < input_.size() / 8)) {
            input_ = std::string();
            input_.resize(idle_buffer);
        }
        begin_ = end_ = 0;
    }
    EKIDEN_CO_TRY_VALUE(count, co_await below_->read_some(std::span(input_.data() + end_, input_.size() - end_)));
    end_ += count;
    co_return Result<void>{};
}

Task<Result<void>> Layer::flush()
{
    if (output_.empty()) co_return Result<void>{};
    const std::string sealed = std::exchange(output_, {});
    co_return co_await below_->write(sealed);
}

std::unexpected<Error> Layer::broken(std::string_view when)
{
    is_broken_ = true;
    failures_ = take_openssl_errors();
    return fail(ErrorCode::protocol, std::string(when));
}

Task<Result<void>> Layer::shake_hands()
{
    for (;;) {
        co_await HandshakeTurns::of(below_->executor()).wait(below_->executor());
        ERR_clear_error();
        const int result = SSL_do_handshake(ssl_.get());
        const int error = SSL_get_error(ssl_.get(), result);
        if (result != 1 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_X509_LOOKUP) {
            auto trouble = broken("TLS handshake failed");
            // The peer is told why, as an alert.
            (void)co_await flush();
            co_return trouble;
        }
        EKIDEN_CO_TRY(co_await flush());
        if (result == 1) break;
        if (error == SSL_ERROR_WANT_X509_LOOKUP) co_await find_identities();
        else EKIDEN_CO_TRY(co_await fill());
    }
    is_established_ = true;
    co_return Result<void>{};
}

Task<Result<void>> Layer::connect()
{
    SSL_set_connect_state(ssl_.get());
    co_return co_await shake_hands();
}

// OpenSSL takes 56 KiB as soon as it is asked for a step, and gives none back while it waits. A client that connects and
// keeps silent, or sends its first record by the byte, costs what it has sent. Whatever is no such record is OpenSSL's to
// refuse at once.
Task<Result<void>> Layer::hear_first_record()
{
    constexpr std::size_t header_size = 5;
    auto byte = [this](std::size_t at) { return static_cast<unsigned char>(input_[at]); };
    for (;;) {
        std::size_t wanted = header_size;
        if ((end_ > 0 && byte(0) != SSL3_RT_HANDSHAKE) || (end_ > 1 && byte(1) != SSL3_VERSION_MAJOR))
            co_return Result<void>{};
        if (end_ >= header_size) wanted += (std::size_t{byte(3)} << 8 | byte(4));
        if ((end_ >= header_size && end_ >= wanted) || wanted > header_size + record_size) co_return Result<void>{};
        input_.resize(std::max(input_.size(), std::min(wanted, std::max(2 * end_, idle_buffer))));
        EKIDEN_CO_TRY_VALUE(count, co_await below_->read_some(std::span(input_.data() + end_, input_.size() - end_)));
        end_ += count;
    }
}

Task<Result<void>> Layer::accept()
{
    EKIDEN_CO_TRY(co_await hear_first_record());
    use(UniqueSsl(SSL_new(context_->handle())));
    SSL_set_accept_state(ssl_.get());
    EKIDEN_CO_TRY(co_await shake_hands());
    summary_ = summarize(ssl_.get(), context_->options());
    if (chosen_ && *chosen_) summary_.server_name = server_name_;
    if (witness_.bits & log_verbose) {
        if (summary_.is_resumed)
            witness_.log->info("{}: Reusing old session{}", witness_.client,
                               has_opened_ticket_ ? " (RFC 5077 session ticket)" : "");
        if (const X509* peer = SSL_get0_peer_certificate(ssl_.get())) {
            witness_.log->info("subject={}", one_line_name(X509_get_subject_name(peer)));
            witness_.log->info("issuer={}", one_line_name(X509_get_issuer_name(peer)));
            witness_.log->info("{}: subject_CN={}, issuer={}, fingerprint={}, pkey_fingerprint={}", witness_.client,
                               summary_.subject, summary_.issuer, summary_.certificate_fingerprint,
                               summary_.key_fingerprint);
        }
    }
    co_return Result<void>{};
}

Task<Result<std::size_t>> Layer::read_some(std::span<char> buffer)
{
    if (is_broken_) co_return fail(ErrorCode::protocol, "TLS connection is broken");
    for (;;) {
        ERR_clear_error();
        std::size_t count = 0;
        const int result = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &count);
        const int error = SSL_get_error(ssl_.get(), result);
        if (late_messages_ > most_late_messages) co_return broken("too many handshake messages");
        if (result != 1 && error == SSL_ERROR_ZERO_RETURN) co_return fail(ErrorCode::closed, "connection closed");
        if (result != 1 && error != SSL_ERROR_WANT_READ) {
            auto trouble = broken("TLS record refused");
            (void)co_await flush();
            co_return trouble;
        }
        // An answer to the peer's change of keys.
        if (!output_.empty()) EKIDEN_CO_TRY(co_await flush());
        if (result == 1) co_return count;
        EKIDEN_CO_TRY(co_await fill());
    }
}

Task<Result<void>> Layer::write(std::span<const std::string_view> pieces)
{
    if (is_broken_) co_return fail(ErrorCode::protocol, "TLS connection is broken");
    std::size_t left = 0;
    for (std::string_view piece : pieces) left += piece.size();
    std::size_t index = 0, offset = 0;
    while (left > 0) {
        while (pieces[index].size() == offset) {
            ++index;
            offset = 0;
        }
        std::string_view text = pieces[index].substr(offset, record_size);
        // Small pieces travel in one record. The gathering place is not held across an await.
        static thread_local std::string gathered;
        if (text.size() < record_size && text.size() < left) {
            gathered.assign(text);
            offset += text.size();
            while (gathered.size() < record_size && index < pieces.size()) {
                if (pieces[index].size() == offset) {
                    ++index;
                    offset = 0;
                    continue;
                }
                const std::string_view more = pieces[index].substr(offset, record_size - gathered.size());
                gathered += more;
                offset += more.size();
            }
            text = gathered;
        } else {
            offset += text.size();
        }
        ERR_clear_error();
        std::size_t sealed = 0;
        if (SSL_write_ex(ssl_.get(), text.data(), text.size(), &sealed) != 1 || sealed != text.size())
            co_return broken("TLS record could not be sealed");
        left -= text.size();
        if (left == 0 || output_.size() >= gathered_output) EKIDEN_CO_TRY(co_await flush());
    }
    co_return Result<void>{};
}

Task<void> Layer::say_goodbye()
{
    if (!is_established_ || is_broken_) co_return;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    below_->set_time_limit(goodbye_limit);
    (void)co_await flush();
}

std::string Layer::exporter() const
{
    // RFC 9266: the label, and an empty context.
    static constexpr std::string_view label = "EXPORTER-Channel-Binding";
    std::string bytes(32, '\0');
    if (!is_established_ || SSL_export_keying_material(ssl_.get(), reinterpret_cast<unsigned char*>(bytes.data()),
                                                       bytes.size(), label.data(), label.size(), nullptr, 0, 1) != 1) {
        ERR_clear_error();
        return {};
    }
    // Before TLS 1.3 it only binds with the extended master secret.
    if (SSL_version(ssl_.get()) < TLS1_3_VERSION && SSL_get_extms_support(ssl_.get()) != 1) return {};
    return bytes;
}

bool Layer::choose_identities()
{
    if (!chosen_) {
        const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
        if (!name || !*name) {
            chosen_ = nullptr;
        } else if (!is_server_name(name)) {
            witness_.log->warning("TLS SNI from {} is no host name: {}, using default chain", witness_.client,
                                  base::printable(name));
            chosen_ = nullptr;
        } else {
            server_name_ = name;
            return false;
        }
    }
    if (*chosen_ && !use_identities(ssl_.get(), **chosen_)) {
        witness_.log->warning("TLS SNI {} from {}: its certificate cannot be used ({}), using default chain",
                              server_name_, witness_.client, take_openssl_reason("unknown reason"));
        use_identities(ssl_.get(), context_->identities());
        chosen_ = nullptr;
    }
    return true;
}

void Layer::note_certificate(int depth, bool is_good, X509_STORE_CTX* store)
{
    if (!(witness_.bits & log_verbose)) return;
    const X509* certificate = X509_STORE_CTX_get_current_cert(store);
    witness_.log->info("{}: depth={} verify={} subject={}", witness_.client, depth, is_good ? 1 : 0,
                       certificate ? one_line_name(X509_get_subject_name(certificate)) : "unknown");
}

void Layer::note_ticket(bool is_issued, long expires_at)
{
    if (!is_issued) has_opened_ticket_ = true;
    if (!(witness_.bits & log_verbose)) return;
    witness_.log->info("{}: {} session ticket, key expiration: {}", witness_.client,
                       is_issued ? "Issuing" : "Decrypting", expires_at);
}

Task<void> Layer::find_identities()
{
    auto found = co_await context_->find_identities(server_name_);
    if (!found) {
        witness_.log->warning("TLS SNI {} from {}: {}, using default chain", server_name_, witness_.client,
                              found.error().text());
        chosen_ = nullptr;
        co_return;
    }
    chosen_ = std::move(*found);
    if (!*chosen_ && (witness_.bits & log_summary))
        witness_.log->info("TLS SNI {} from {} not matched, using default chain", server_name_, witness_.client);
}

}  // namespace

ConnectionPtr make_server_connection(net::StreamPtr below, ContextPtr context, Witness witness)
{
    return std::make_unique<Layer>(std::move(below), std::move(context), std::move(witness));
}

ConnectionPtr make_client_connection(net::StreamPtr below, UniqueSsl ssl, std::shared_ptr<const void> keeper,
                                     Witness witness)
{
    return std::make_unique<Layer>(std::move(below), std::move(ssl), std::move(keeper), std::move(witness));
}

}  // namespace ekiden::tls
