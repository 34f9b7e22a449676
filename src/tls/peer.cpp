#include "tls/peer.hpp"

#include "base/text.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <fmt/format.h>

#include <cstring>

namespace ekiden::tls {

namespace {

// A name of thousands of bytes serves nobody.
constexpr int longest_name = 256;

std::string colon_hexadecimal(const unsigned char* bytes, unsigned length)
{
    std::string text;
    text.reserve(length * 3);
    for (unsigned i = 0; i < length; ++i)
        fmt::format_to(std::back_inserter(text), "{}{:02X}", i == 0 ? "" : ":", bytes[i]);
    return text;
}

std::string last_entry(const X509_NAME* name, int nid)
{
    int last = -1;
    for (int at = -1; (at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0;) last = at;
    if (last < 0) return {};
    unsigned char* utf8 = nullptr;
    const int length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
    if (length < 0) {
        ERR_clear_error();
        return {};
    }
    std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(std::min(length, longest_name)));
    OPENSSL_free(utf8);
    // A NUL inside makes one name look like another.
    if (text.find('\0') != text.npos) return {};
    for (char& c : text) {
        if (c < 32 || c > 126) c = '?';
    }
    return text;
}

std::string group_name(const EVP_PKEY* key)
{
    char name[80] = "";
    std::size_t length = 0;
    if (EVP_PKEY_get_group_name(key, name, sizeof name, &length) == 1) return std::string(name, length);
    ERR_clear_error();
    return "unknown curve";
}

std::string exchange_name(EVP_PKEY* key)
{
    switch (EVP_PKEY_get_base_id(key)) {
        case EVP_PKEY_EC: return "ECDHE (" + group_name(key) + ")";
        case EVP_PKEY_DH: return fmt::format("DHE ({} bits)", EVP_PKEY_get_bits(key));
        case EVP_PKEY_RSA: return "RSA";
        default: break;
    }
    const char* name = EVP_PKEY_get0_type_name(key);
    return name ? name : "";
}

// `type` is what the handshake signed with; NID_undef when it was resumed and nothing was signed.
Summary::Signature signature_of(const EVP_PKEY* key, int type, int digest)
{
    Summary::Signature signature;
    if (!key) return signature;
    const int kind = EVP_PKEY_get_base_id(key);
    if (type == NID_undef) type = kind == EVP_PKEY_RSA ? EVP_PKEY_RSA_PSS : kind;
    switch (type) {
        case EVP_PKEY_RSA: signature.scheme = fmt::format("RSA ({} bits)", EVP_PKEY_get_bits(key)); break;
        case EVP_PKEY_RSA_PSS: signature.scheme = fmt::format("RSA-PSS ({} bits)", EVP_PKEY_get_bits(key)); break;
        case EVP_PKEY_DSA: signature.scheme = fmt::format("DSA ({} bits)", EVP_PKEY_get_bits(key)); break;
        case EVP_PKEY_EC: signature.scheme = "ECDSA (" + group_name(key) + ")"; break;
        default: {
            const char* name = OBJ_nid2sn(type);
            signature.scheme = name ? name : "";
            break;
        }
    }
    if (digest != NID_undef) {
        const char* name = OBJ_nid2sn(digest);
        signature.digest = name ? name : "";
    }
    return signature;
}

}  // namespace

std::string certificate_fingerprint(const X509* certificate, const std::string& digest)
{
    const EVP_MD* kind = EVP_get_digestbyname(digest.c_str());
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (!kind || !certificate || X509_digest(certificate, kind, bytes, &length) != 1) return {};
    return colon_hexadecimal(bytes, length);
}

std::string key_fingerprint(const X509* certificate, const std::string& digest, bool is_legacy)
{
    const EVP_MD* kind = EVP_get_digestbyname(digest.c_str());
    if (!kind || !certificate) return {};
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (is_legacy) {
        if (X509_pubkey_digest(certificate, kind, bytes, &length) != 1) return {};
        return colon_hexadecimal(bytes, length);
    }
    unsigned char* der = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (size <= 0) {
        ERR_clear_error();
        return {};
    }
    const bool is_made = EVP_Digest(der, static_cast<std::size_t>(size), bytes, &length, kind, nullptr) == 1;
    OPENSSL_free(der);
    return is_made ? colon_hexadecimal(bytes, length) : std::string();
}

std::string subject_name(const X509* certificate)
{
    return last_entry(X509_get_subject_name(certificate), NID_commonName);
}

std::string issuer_name(const X509* certificate)
{
    std::string name = last_entry(X509_get_issuer_name(certificate), NID_commonName);
    return name.empty() ? last_entry(X509_get_issuer_name(certificate), NID_organizationName) : name;
}

std::string one_line_name(const X509_NAME* name)
{
    char text[longest_name] = "";
    X509_NAME_oneline(name, text, sizeof text);
    return text;
}

namespace {

Summary summarize_session(SSL* ssl)
{
    Summary s;
    s.protocol = SSL_get_version(ssl);
    if (const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl)) {
        s.cipher = SSL_CIPHER_get_name(cipher);
        s.bits_used = SSL_CIPHER_get_bits(cipher, &s.bits_of_cipher);
    }
    s.is_resumed = SSL_session_reused(ssl) == 1;
    // Before TLS 1.3 the cipher's name says it all.
    EVP_PKEY* exchange = nullptr;
    if (SSL_version(ssl) >= TLS1_3_VERSION && SSL_get_peer_tmp_key(ssl, &exchange) == 1 && exchange) {
        s.key_exchange = exchange_name(exchange);
        EVP_PKEY_free(exchange);
    }
    return s;
}

}  // namespace

Summary summarize_client(SSL* ssl, const std::string& digest, bool has_legacy_key_fingerprints)
{
    Summary s = summarize_session(ssl);
    if (const X509* peer = SSL_get0_peer_certificate(ssl)) {
        if (SSL_version(ssl) >= TLS1_3_VERSION) {
            int type = NID_undef, kind = NID_undef;
            if (SSL_get_peer_signature_nid(ssl, &kind) != 1) kind = NID_undef;
            if (SSL_get_peer_signature_type_nid(ssl, &type) != 1) type = NID_undef;
            s.server_signature = signature_of(X509_get0_pubkey(peer), type, kind);
        }
        s.has_certificate = true;
        s.subject = subject_name(peer);
        s.issuer = issuer_name(peer);
        s.certificate_fingerprint = certificate_fingerprint(peer, digest);
        s.key_fingerprint = key_fingerprint(peer, digest, has_legacy_key_fingerprints);
    }
    ERR_clear_error();
    return s;
}

Summary summarize(SSL* ssl, const ServerOptions& options)
{
    Summary s = summarize_session(ssl);
    s.was_certificate_asked = options.asks_certificate;
    const X509* peer = SSL_get0_peer_certificate(ssl);

    if (SSL_version(ssl) >= TLS1_3_VERSION) {
        int type = NID_undef, digest = NID_undef;
        if (const X509* own = SSL_get_certificate(ssl)) {
            if (SSL_get_signature_nid(ssl, &digest) != 1) digest = NID_undef;
            if (SSL_get_signature_type_nid(ssl, &type) != 1) type = NID_undef;
            s.server_signature = signature_of(X509_get0_pubkey(own), type, digest);
        }
        type = digest = NID_undef;
        if (peer && !s.is_resumed) {
            if (SSL_get_peer_signature_nid(ssl, &digest) != 1) digest = NID_undef;
            if (SSL_get_peer_signature_type_nid(ssl, &type) != 1) type = NID_undef;
            s.client_signature = signature_of(X509_get0_pubkey(peer), type, digest);
        }
    }
    if (peer) {
        s.has_certificate = true;
        s.is_verified = SSL_get_verify_result(ssl) == X509_V_OK;
        s.subject = subject_name(peer);
        s.issuer = issuer_name(peer);
        s.certificate_fingerprint = certificate_fingerprint(peer, options.digest);
        s.key_fingerprint = key_fingerprint(peer, options.digest, options.has_legacy_key_fingerprints);
    }
    ERR_clear_error();
    return s;
}

}  // namespace ekiden::tls
