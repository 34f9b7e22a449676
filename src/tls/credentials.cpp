#include "tls/credentials.hpp"

#include "base/fd.hpp"
#include "base/privileged_read.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace ekiden::tls {

namespace {

constexpr std::size_t largest_file = 1u << 20;
constexpr std::size_t most_certificates = 64;

Result<std::string> read_file(const std::string& path)
{
    base::PrivilegedRead guard;
    auto file = base::open_file(path, O_RDONLY);
    if (!file)
        return fail(ErrorCode::not_found,
                    fmt::format("error opening chain file: {}: {}", path, std::strerror(file.error().os_error())));
    std::string content;
    char buffer[16384];
    for (;;) {
        const ssize_t got = ::read(file->get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return fail(ErrorCode::system, fmt::format("error reading chain file: {}: {}", path, std::strerror(errno)));
        if (got == 0) break;
        content.append(buffer, static_cast<std::size_t>(got));
        if (content.size() > largest_file)
            return fail(ErrorCode::too_long,
                        fmt::format("error reading chain file: {}: larger than {} bytes", path, largest_file));
    }
    OPENSSL_cleanse(buffer, sizeof buffer);
    return content;
}

// Wiped when it goes: it may hold a key.
struct SecretText {
    std::string text;
    explicit SecretText(std::string content) : text(std::move(content)) {}
    ~SecretText() { OPENSSL_cleanse(text.data(), text.size()); }
    SecretText(const SecretText&) = delete;
};

int no_passphrase(char*, int, int, void*) { return 0; }

// One PEM block after the other, as the object that it is; nothing at the end of the text.
class PemReader {
public:
    explicit PemReader(std::string_view text) : bio_(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))) {}

    struct Block {
        UniqueKey key;
        UniqueCertificate certificate;
    };
    Result<std::optional<Block>> next()
    {
        for (;;) {
            char* name = nullptr;
            char* header = nullptr;
            unsigned char* data = nullptr;
            long length = 0;
            if (PEM_read_bio(bio_.get(), &name, &header, &data, &length) != 1) {
                if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
                    ERR_clear_error();
                    return std::nullopt;
                }
                return fail(ErrorCode::syntax, take_openssl_reason("malformed PEM"));
            }
            const std::string kind = name;
            Block block;
            const bool is_encrypted = header && std::strstr(header, "ENCRYPTED") != nullptr;
            const unsigned char* at = data;
            bool is_ours = true;
            if (kind == PEM_STRING_X509 || kind == PEM_STRING_X509_OLD)
                block.certificate.reset(d2i_X509(nullptr, &at, length));
            else if (kind == PEM_STRING_X509_TRUSTED) block.certificate.reset(d2i_X509_AUX(nullptr, &at, length));
            else if (kind.ends_with("PRIVATE KEY") && kind != PEM_STRING_PKCS8 && !is_encrypted)
                block.key.reset(d2i_AutoPrivateKey(nullptr, &at, length));
            else if (!kind.ends_with("PRIVATE KEY")) is_ours = false;   // parameters of a curve, a request…
            OPENSSL_clear_free(data, static_cast<std::size_t>(length));
            OPENSSL_free(name);
            OPENSSL_free(header);
            if (!is_ours) continue;
            if (is_encrypted || kind == PEM_STRING_PKCS8)
                return fail(ErrorCode::refused, "the private key is encrypted with a passphrase");
            if (!block.key && !block.certificate) return fail(ErrorCode::syntax, take_openssl_reason("malformed PEM"));
            return block;
        }
    }

private:
    UniqueBio bio_;
};

bool fits(const Identity& identity)
{
    const bool is_right = X509_check_private_key(identity.leaf.get(), identity.key.get()) == 1;
    ERR_clear_error();
    return is_right;
}

// What a key is called that does not fit. Postfix goes by the parameter ("RSA" for smtpd_tls_cert_file) where the two
// are of different kinds, and so it stands in its log; for two of one kind it has other words: that kind is named.
std::string kind_of(const Identity& identity, const std::string& of_parameter)
{
    const int kind = EVP_PKEY_get_base_id(identity.key.get());
    if (EVP_PKEY* wanted = X509_get0_pubkey(identity.leaf.get()); !wanted || EVP_PKEY_get_base_id(wanted) != kind)
        return of_parameter;
    if (kind == EVP_PKEY_EC) return "ECDSA";
    const char* name = EVP_PKEY_get0_type_name(identity.key.get());
    return name ? name : of_parameter;
}

Result<Identities> parse_chain(std::string_view pem, std::string_view origin)
{
    auto wrong = [&](std::string_view why) {
        return fail(ErrorCode::syntax, fmt::format("error loading chain from {}: {}", origin, why));
    };
    Identities result;
    PemReader reader(pem);
    UniqueKey waiting;      // a key whose certificate comes next
    std::size_t certificates = 0;
    for (;;) {
        auto block = reader.next();
        if (!block) return wrong(block.error().text());
        if (!*block) break;
        if ((*block)->key) {
            if (waiting) return wrong("key not followed by a certificate");
            waiting = std::move((*block)->key);
            continue;
        }
        if (++certificates > most_certificates) return wrong("too many certificates");
        if (waiting) {
            Identity identity{std::move(waiting), std::move((*block)->certificate), {}};
            if (!fits(identity)) return wrong("key and certificate do not match");
            result.push_back(std::move(identity));
        } else if (result.empty()) {
            return wrong("key not first");
        } else {
            result.back().chain.push_back(std::move((*block)->certificate));
        }
    }
    if (waiting) return wrong("key not followed by a certificate");
    if (result.empty()) return wrong("no keys and certificates in it");
    return result;
}

Result<Identity> load_pair(const CredentialFiles::Pair& pair)
{
    EKIDEN_TRY_VALUE(certificate_text, read_file(pair.certificate));
    SecretText certificates(std::move(certificate_text));
    Identity identity;
    PemReader reader(certificates.text);
    std::size_t count = 0;
    for (;;) {
        auto block = reader.next();
        if (!block && block.error().is(ErrorCode::syntax)) {
            return fail(ErrorCode::syntax, fmt::format("cannot get {} certificate from file \"{}\": {}", pair.kind,
                                                       pair.certificate, block.error().text()));
        }
        if (!block || ((*block) && (*block)->key)) continue;   // a key, with or without passphrase: not asked for here
        if (!*block) break;
        if (++count > most_certificates)
            return fail(ErrorCode::too_long, fmt::format("too many certificates in file \"{}\"", pair.certificate));
        if (!identity.leaf) identity.leaf = std::move((*block)->certificate);
        else identity.chain.push_back(std::move((*block)->certificate));
    }
    if (!identity.leaf)
        return fail(ErrorCode::syntax, fmt::format("cannot get {} certificate from file \"{}\": no certificate in it",
                                                   pair.kind, pair.certificate));

    EKIDEN_TRY_VALUE(key_text, read_file(pair.key));
    SecretText keys(std::move(key_text));
    UniqueBio bio(BIO_new_mem_buf(keys.text.data(), static_cast<int>(keys.text.size())));
    identity.key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (!identity.key) {
        const std::string reason = take_openssl_reason("no private key in it");
        if (keys.text.find("PRIVATE KEY-----") == keys.text.npos)
            return fail(ErrorCode::syntax, fmt::format("No private key found in {}", pair.key));
        return fail(
            ErrorCode::syntax,
            fmt::format("cannot get {} private key from file \"{}\": {}", pair.kind, pair.key,
                        keys.text.find("ENCRYPTED") == keys.text.npos ? reason : "it is encrypted with a passphrase"));
    }
    if (!fits(identity)) {
        return fail(ErrorCode::refused, fmt::format("{} private key in {} does not match public key in {}",
                                                    kind_of(identity, pair.kind), pair.key, pair.certificate));
    }
    return identity;
}

}  // namespace

std::vector<std::string> CredentialFiles::files() const
{
    if (!chain_files.empty()) return chain_files;
    std::vector<std::string> result;
    for (const Pair& pair : pairs) {
        if (pair.certificate == "none") continue;
        result.push_back(pair.certificate);
        if (pair.key != pair.certificate) result.push_back(pair.key);
    }
    return result;
}

Result<Identities> parse_identities(std::string_view pem, std::string_view origin) { return parse_chain(pem, origin); }

Result<Identities> load_identities(const CredentialFiles& files)
{
    Identities result;
    if (!files.chain_files.empty()) {
        // One sequence over all files: a key may stand in the file before its chain.
        SecretText all{std::string()};
        std::string names;
        for (const std::string& name : files.chain_files) {
            EKIDEN_TRY_VALUE(content, read_file(name));
            SecretText one(std::move(content));
            all.text.reserve(all.text.size() + one.text.size() + 1);
            all.text += one.text;
            if (!all.text.ends_with('\n')) all.text += '\n';
            names += (names.empty() ? "" : ", ") + name;
        }
        return parse_chain(all.text, names);
    }
    for (const CredentialFiles::Pair& pair : files.pairs) {
        if (pair.certificate == "none") continue;
        EKIDEN_TRY_VALUE(identity, load_pair(pair));
        result.push_back(std::move(identity));
    }
    return result;
}

std::string state_of_files(const std::vector<std::string>& files)
{
    base::PrivilegedRead guard;
    std::string state;
    for (const std::string& name : files) {
        struct stat info{};
        if (::stat(name.c_str(), &info) < 0) state += fmt::format("{}:{};", name, errno);
        else
            state += fmt::format("{}:{}:{}:{}.{}:{}.{};", name, info.st_ino, info.st_size, info.st_mtim.tv_sec,
                                 info.st_mtim.tv_nsec, info.st_ctim.tv_sec, info.st_ctim.tv_nsec);
    }
    return state;
}

std::string server_end_point_of(const X509* certificate)
{
    if (!certificate) return {};
    int digest_nid = NID_undef;
    if (X509_get_signature_info(const_cast<X509*>(certificate), &digest_nid, nullptr, nullptr, nullptr) != 1 ||
        digest_nid == NID_undef) {
        ERR_clear_error();
        return {};
    }
    const EVP_MD* digest =
        digest_nid == NID_md5 || digest_nid == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(digest_nid);
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (!digest || X509_digest(certificate, digest, bytes, &length) != 1) {
        ERR_clear_error();
        return {};
    }
    return std::string(reinterpret_cast<const char*>(bytes), length);
}

}  // namespace ekiden::tls
