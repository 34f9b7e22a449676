#include "tls/client_context.hpp"

#include "base/privileged_read.hpp"
#include "net/endpoint.hpp"
#include "tls/context.hpp"
#include "tls/peer.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace ekiden::tls {

namespace {

// What the callbacks of an SSL need; OpenSSL frees it with the SSL.
struct Attachment {
    const ClientContext* context;
    std::string session_key;
    Verdict verdict;
    Verdict remembered;     // of the session that is to be resumed
};

void free_attachment(void*, void* attachment, CRYPTO_EX_DATA*, int, long, void*)
{
    delete static_cast<Attachment*>(attachment);
}

int attachment_index()
{
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_attachment);
    return index;
}

Attachment* attachment_of(const SSL* ssl) { return static_cast<Attachment*>(SSL_get_ex_data(ssl, attachment_index())); }

std::string chain_problem(int error, const X509* certificate)
{
    switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "untrusted issuer " +
               (certificate ? one_line_name(X509_get_issuer_name(certificate)) : std::string("unknown"));
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD: return "certificate not yet valid";
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD: return "certificate has expired";
    default: return X509_verify_cert_error_string(error);
    }
}

// Nothing is decided here: the handshake goes on, and the verdict says what is wrong first.
int on_verify(int is_good, X509_STORE_CTX* store)
{
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    if (SslOwner* owner = owner_of(ssl))
        owner->note_certificate(X509_STORE_CTX_get_error_depth(store), is_good == 1, store);
    Attachment* attachment = attachment_of(ssl);
    const int error = X509_STORE_CTX_get_error(store);
    if (is_good || !attachment || error == X509_V_OK) return 1;
    std::string& problem = attachment->verdict.chain_problem;
    if (problem.empty()) problem = chain_problem(error, X509_STORE_CTX_get_current_cert(store));
    return 1;
}

// Certificates and public keys that alone are trusted, as if DNS had told of them (RFC 6698, usage 2, in full).
Result<void> trust_anchors(SSL* ssl, const std::vector<std::string>& files)
{
    for (const std::string& path : files) {
        base::PrivilegedRead guard;
        UniqueBio bio(BIO_new_file(path.c_str(), "r"));
        if (!bio)
            return fail(ErrorCode::system, fmt::format("error opening trust anchor file: {}: {}", path,
                                                       take_openssl_reason("cannot be read")));
        int count = 0;
        char* name = nullptr;
        char* header = nullptr;
        unsigned char* data = nullptr;
        long size = 0;
        bool is_good = true;
        while (is_good && PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1) {
            const std::string_view kind = name;
            const bool is_certificate = kind == PEM_STRING_X509 || kind == PEM_STRING_X509_OLD,
                       is_key = kind == PEM_STRING_PUBLIC;
            is_good = (is_certificate || is_key) &&
                      SSL_dane_tlsa_add(ssl, 2, is_key ? 1 : 0, 0, data, static_cast<std::size_t>(size)) > 0;
            ++count;
            OPENSSL_free(name);
            OPENSSL_free(header);
            OPENSSL_free(data);
        }
        ERR_clear_error();
        if (!is_good || count == 0) return fail(ErrorCode::syntax, "unusable trust anchor file: " + path);
    }
    return {};
}

}  // namespace

std::string name_error_text(int error) { return fmt::format("num={}:{}", error, X509_verify_cert_error_string(error)); }

int ClientContext::on_new_session(SSL* ssl, SSL_SESSION* session)
{
    const Attachment* attachment = attachment_of(ssl);
    if (!attachment || attachment->session_key.empty()) return 0;
    const ClientContext& context = *attachment->context;
    auto all = context.sessions_.lock();
    if (all->size() >= most_sessions) all->clear();
    // Nothing is verified anew when a session is resumed: what holds is what was found when it was made.
    const Verdict& verdict = SSL_session_reused(ssl) == 1 ? attachment->remembered : attachment->verdict;
    all->insert_or_assign(attachment->session_key,
                          Remembered{UniqueSession(session), verdict, base::steady_now() + context.session_limit_});
    return 1;    // the reference is ours
}

Result<std::shared_ptr<const ClientContext>> ClientContext::make(const ClientOptions& options,
                                                                 std::vector<std::string>& warnings)
{
    std::shared_ptr<ClientContext> made(new ClientContext(options));
    made->handle_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX* context = made->handle_.get();
    if (!context) return fail(ErrorCode::system, "cannot allocate client SSL_CTX: " + take_openssl_reason("no memory"));
    // What may be used is what the administrator lists, not what a level of OpenSSL's leaves of it.
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_clear_options(context, SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1_2 |
                                       SSL_OP_NO_TLSv1_3);
    SSL_CTX_set_options(context, (SSL_OP_ALL & ~options.options_cleared) | options.options_set | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (!options.groups.empty() && SSL_CTX_set1_groups_list(context, options.groups.c_str()) != 1) {
        warnings.push_back(fmt::format("curves \"{}\" cannot be used ({}): OpenSSL chooses", options.groups,
                                       take_openssl_reason("unknown reason")));
    }
    if (!options.credentials.is_empty()) {
        EKIDEN_TRY_VALUE(identities, load_identities(options.credentials));
        EKIDEN_TRY(use_identities(context, identities));
    }
    EKIDEN_TRY(load_authorities(context, options.ca_file, options.ca_path, options.trusts_default_authorities));
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, on_verify);
    // Postfix counts the authority's own certificate, OpenSSL does not.
    SSL_CTX_set_verify_depth(context, std::max(0, options.verify_depth - 1));
    SSL_CTX_dane_enable(context);
    if (options.session_limit.count() > 0) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(context, on_new_session);
        SSL_CTX_set_timeout(context, static_cast<long>(options.session_limit.count()));
    } else {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    }
    ERR_clear_error();
    return made;
}

Result<UniqueSsl> ClientContext::begin(const ClientPolicy& policy, std::string session_key) const
{
    auto protocols = parse_protocols(policy.grade.protocols);
    if (!protocols) return fail(ErrorCode::syntax, protocols.error().text() + ": aborting TLS session");
    std::vector<std::string> excluded = policy.grade.excluded;
    // An anonymous server has no certificate that could be the right one.
    if (is_matched(policy.level)) excluded.push_back("aNULL");
    EKIDEN_TRY_VALUE(ciphers, cipher_list(policy.grade.ciphers, lists_, excluded));

    UniqueSsl ssl(SSL_new(handle_.get()));
    auto attachment = std::make_unique<Attachment>(Attachment{this, std::move(session_key), {}, {}});
    Attachment& attached = *attachment;
    if (!ssl || SSL_set_ex_data(ssl.get(), attachment_index(), attachment.get()) != 1) {
        return fail(ErrorCode::system, "cannot allocate SSL: " + take_openssl_reason("no memory"));
    }
    attachment.release();
    SSL_set_min_proto_version(ssl.get(), protocols->lowest);
    SSL_set_max_proto_version(ssl.get(), protocols->highest);
    SSL_set_options(ssl.get(), protocols->forbidden);
    if (SSL_set_cipher_list(ssl.get(), ciphers.c_str()) != 1) {
        return fail(ErrorCode::syntax, fmt::format("error setting cipher grade: \"{}\" ({})", policy.grade.ciphers,
                                                   take_openssl_reason("no cipher match")));
    }
    if (!policy.server_name.empty()) SSL_set_tlsext_host_name(ssl.get(), policy.server_name.c_str());
    if (!policy.trust_anchor_files.empty()) {
        if (SSL_dane_enable(ssl.get(), nullptr) <= 0)
            return fail(ErrorCode::system, "cannot use trust anchors: " + take_openssl_reason("unknown reason"));
        EKIDEN_TRY(trust_anchors(ssl.get(), policy.trust_anchor_files));
    }

    auto all = sessions_.lock();
    if (const auto at = all->find(attached.session_key); at != all->end()) {
        if (at->second.until > base::steady_now() && SSL_set_session(ssl.get(), at->second.session.get()) == 1)
            attached.remembered = at->second.verdict;
        else all->erase(at);
    }
    ERR_clear_error();
    return ssl;
}

Verdict ClientContext::finish(SSL* ssl, const ClientPolicy& policy)
{
    Attachment& attachment = *attachment_of(ssl);
    Verdict verdict = SSL_session_reused(ssl) == 1 ? attachment.remembered : attachment.verdict;
    X509* peer = SSL_get0_peer_certificate(ssl);
    if (!peer) verdict.chain_problem = "no certificate";
    if (peer && (policy.level == Level::verify || policy.level == Level::secure)) {
        verdict.name_error = X509_V_ERR_HOSTNAME_MISMATCH;
        const unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                               (policy.wildcards_are_deep ? X509_CHECK_FLAG_MULTI_LABEL_WILDCARDS : 0);
        for (const std::string& name : policy.match) {
            const bool is_address = net::parse_address(name).has_value();
            const int result = is_address ? X509_check_ip_asc(peer, name.c_str(), 0)
                                          : X509_check_host(peer, name.data(), name.size(), flags, nullptr);
            if (result == 1) {
                verdict.name_error = 0;
                break;
            }
            if (is_address) verdict.name_error = X509_V_ERR_IP_ADDRESS_MISMATCH;
        }
    }
    ERR_clear_error();
    return verdict;
}

void ClientContext::forget(const std::string& session_key) const { sessions_.lock()->erase(session_key); }

}  // namespace ekiden::tls
