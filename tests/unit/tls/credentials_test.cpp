#include "tls/credentials.hpp"

#include "unit/tls/certificates.hpp"

namespace ekiden::tls {
namespace {

using test::Folder;
using test::Kind;

std::string error_of(const Result<Identities>& result) { return result ? "" : result.error().text(); }

TEST(credentials, chain_files_are_one_sequence_of_keys_and_chains)
{
    Folder folder;
    const auto authority = test::make_certificate(Kind::ecdsa, "authority");
    const auto leaf = test::make_certificate(Kind::ecdsa, "leaf", &authority);
    const std::string key = folder.write("key.pem", leaf.key_pem());
    const std::string chain = folder.write("chain.pem", leaf.certificate_pem() + authority.certificate_pem());
    const std::string rsa = folder.write("rsa.pem", "some words before\n" + test::rsa().pem());

    // A key in the file before its chain, and two kinds side by side.
    auto both = load_identities({.chain_files = {key, chain, rsa}, .pairs = {}});
    ASSERT_TRUE(both) << error_of(both);
    ASSERT_EQ(both->size(), 2u);
    EXPECT_EQ((*both)[0].chain.size(), 1u);
    EXPECT_EQ((*both)[1].chain.size(), 0u);
    EXPECT_EQ(EVP_PKEY_get_base_id((*both)[0].key.get()), EVP_PKEY_EC);
    EXPECT_EQ(EVP_PKEY_get_base_id((*both)[1].key.get()), EVP_PKEY_RSA);
}

TEST(credentials, what_is_wrong_is_said_with_the_file)
{
    Folder folder;
    const std::string certificate = folder.write("cert.pem", test::ecdsa().certificate_pem());
    const std::string key = folder.write("key.pem", test::ecdsa().key_pem());
    const std::string other = folder.write("other.pem", test::rsa().key_pem());
    const std::string mixed = folder.write("mixed.pem", test::rsa().key_pem() + test::ecdsa().certificate_pem());
    const std::string locked =
        folder.write("locked.pem", test::ecdsa().encrypted_key_pem() + test::ecdsa().certificate_pem());
    const std::string broken =
        folder.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    const std::string empty = folder.write("empty.pem", "");
    const std::string missing = folder / "missing.pem";
    auto chain_of = [](std::vector<std::string> files) {
        return error_of(load_identities({.chain_files = std::move(files), .pairs = {}}));
    };
    auto pair_of = [](std::string c, std::string k) {
        return error_of(load_identities({.chain_files = {}, .pairs = {{"RSA", std::move(c), std::move(k)}}}));
    };

    EXPECT_EQ(chain_of({missing}), "error opening chain file: " + missing + ": No such file or directory");
    EXPECT_EQ(chain_of({certificate}), "error loading chain from " + certificate + ": key not first");
    EXPECT_EQ(chain_of({key}), "error loading chain from " + key + ": key not followed by a certificate");
    EXPECT_EQ(chain_of({key, other}),
              "error loading chain from " + key + ", " + other + ": key not followed by a certificate");
    EXPECT_EQ(chain_of({mixed}), "error loading chain from " + mixed + ": key and certificate do not match");
    EXPECT_EQ(chain_of({locked}),
              "error loading chain from " + locked + ": the private key is encrypted with a passphrase");
    EXPECT_EQ(chain_of({empty}), "error loading chain from " + empty + ": no keys and certificates in it");
    EXPECT_TRUE(chain_of({broken}).starts_with("error loading chain from " + broken + ": ")) << chain_of({broken});

    EXPECT_EQ(pair_of(certificate, key), "");
    EXPECT_EQ(pair_of("none", "none"), "");
    EXPECT_EQ(pair_of(certificate, certificate), "No private key found in " + certificate);
    EXPECT_EQ(pair_of(certificate, other),
              "RSA private key in " + other + " does not match public key in " + certificate);
    const auto another = folder.write("another.pem", test::make_certificate(test::Kind::ecdsa, "other").key_pem());
    EXPECT_EQ(pair_of(certificate, another),
              "ECDSA private key in " + another + " does not match public key in " + certificate);
    const auto edwards =
        folder.write("edwards.pem", test::make_certificate(test::Kind::ed25519, "a").certificate_pem());
    const auto edwards_key = folder.write("edwards.key", test::make_certificate(test::Kind::ed25519, "b").key_pem());
    EXPECT_EQ(pair_of(edwards, edwards_key),
              "ED25519 private key in " + edwards_key + " does not match public key in " + edwards);
    EXPECT_EQ(pair_of(certificate, locked),
              "cannot get RSA private key from file \"" + locked + "\": it is encrypted with a passphrase");
    EXPECT_EQ(pair_of(key, key), "cannot get RSA certificate from file \"" + key + "\": no certificate in it");
    EXPECT_EQ(pair_of(missing, key), "error opening chain file: " + missing + ": No such file or directory");
    EXPECT_EQ(pair_of(empty, key), "cannot get RSA certificate from file \"" + empty + "\": no certificate in it");
}

TEST(credentials, too_much_is_refused)
{
    Folder folder;
    std::string many = test::ecdsa().key_pem();
    for (int i = 0; i < 100; ++i) many += test::ecdsa().certificate_pem();
    const std::string file = folder.write("many.pem", many);
    EXPECT_EQ(error_of(load_identities({.chain_files = {file}, .pairs = {}})),
              "error loading chain from " + file + ": too many certificates");
    const std::string large = folder.write("large.pem", std::string(2u << 20, 'x'));
    EXPECT_TRUE(error_of(load_identities({.chain_files = {large}, .pairs = {}}))
                    .starts_with("error reading chain file: " + large + ": larger than"));
}

TEST(credentials, the_state_of_files_changes_with_each_of_them)
{
    Folder folder;
    const std::vector<std::string> files{folder.write("a", "1"), folder / "b"};
    const std::string first = state_of_files(files);
    EXPECT_EQ(state_of_files(files), first);
    folder.write("b", "2");
    const std::string second = state_of_files(files);
    EXPECT_NE(second, first);
    folder.write("a", "1");
    EXPECT_NE(state_of_files(files), second) << "another file of the same content and size";
}

TEST(credentials, the_end_point_is_the_hash_of_the_certificate)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    X509_digest(test::ecdsa().certificate.get(), EVP_sha256(), bytes, &length);
    EXPECT_EQ(server_end_point_of(test::ecdsa().certificate.get()),
              std::string(reinterpret_cast<char*>(bytes), length));
    EXPECT_EQ(server_end_point_of(nullptr), "");
}

}  // namespace
}  // namespace ekiden::tls
