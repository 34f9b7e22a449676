// Keys and certificates that live as long as a test: made here, written where a test wants them.
#pragma once

#include "tls/openssl.hpp"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace ekiden::tls::test {

struct Made {
    UniqueKey key;
    UniqueCertificate certificate;

    std::string key_pem() const
    {
        return pem(
            [this](BIO* bio) { PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    }
    std::string certificate_pem() const
    {
        return pem([this](BIO* bio) { PEM_write_bio_X509(bio, certificate.get()); });
    }
    std::string encrypted_key_pem() const
    {
        return pem([this](BIO* bio) {
            PEM_write_bio_PKCS8PrivateKey(bio, key.get(), EVP_aes_256_cbc(), "secret", 6, nullptr, nullptr);
        });
    }
    std::string pem() const { return key_pem() + certificate_pem(); }

private:
    template <class Write>
    static std::string pem(Write write)
    {
        UniqueBio bio(BIO_new(BIO_s_mem()));
        write(bio.get());
        char* data = nullptr;
        const long size = BIO_get_mem_data(bio.get(), &data);
        return std::string(data, static_cast<std::size_t>(size));
    }
};

enum class Kind { rsa, ecdsa, ed25519 };

// Signed by `issuer`, or by itself; an authority if nobody else signs.
inline Made make_certificate(Kind kind, const std::string& name, const Made* issuer = nullptr,
                             const std::string& organisation = {})
{
    Made made;
    made.key.reset(kind == Kind::rsa     ? EVP_RSA_gen(2048)
                   : kind == Kind::ecdsa ? EVP_EC_gen("P-256")
                                         : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    made.certificate.reset(X509_new());
    X509* x = made.certificate.get();
    static long serial = 0;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, made.key.get());
    X509_NAME* subject = X509_get_subject_name(x);
    auto add = [&](const char* field, const std::string& value) {
        if (!value.empty())
            X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8,
                                       reinterpret_cast<const unsigned char*>(value.data()),
                                       static_cast<int>(value.size()), -1, 0);
    };
    add("O", organisation);
    add("CN", name);
    X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer->certificate.get()) : subject);
    if (!issuer) {
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE");
        X509_add_ext(x, extension, -1);
        X509_EXTENSION_free(extension);
    }
    EVP_PKEY* signer = issuer ? issuer->key.get() : made.key.get();
    const bool has_digest = EVP_PKEY_get_base_id(signer) != EVP_PKEY_ED25519;
    if (!made.key || X509_sign(x, signer, has_digest ? EVP_sha256() : nullptr) == 0)
        throw std::runtime_error("no certificate could be made");
    return made;
}

// RSA keys take a while to make: one for all tests.
inline const Made& rsa()
{
    static const Made made = make_certificate(Kind::rsa, "mail.example.test");
    return made;
}
inline const Made& ecdsa()
{
    static const Made made = make_certificate(Kind::ecdsa, "mail.example.test");
    return made;
}

class Folder {
public:
    Folder()
    {
        char pattern[] = "/tmp/ekiden_tls_XXXXXX";
        path_ = ::mkdtemp(pattern);
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    // Replaces a file as programs that renew certificates do.
    std::string write(const std::string& name, const std::string& content) const
    {
        const std::string path = path_ + "/" + name;
        std::ofstream(path + ".new") << content;
        std::filesystem::rename(path + ".new", path);
        return path;
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

}  // namespace ekiden::tls::test
