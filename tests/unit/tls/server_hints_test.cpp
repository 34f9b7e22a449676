#include "tls/server_hints.hpp"

#include "unit/tls/certificates.hpp"

#include <gtest/gtest.h>

namespace ekiden::tls {
namespace {

using Texts = std::vector<std::string>;

class ServerHints : public testing::Test {
protected:
    ServerHints()
    {
        folder_.write("both.pem", test::make_certificate(test::Kind::ecdsa, "other.test").pem());
        folder_.write("mail.pem", test::ecdsa().pem());
        folder_.write("cert.pem", test::ecdsa().certificate_pem());
        folder_.write("mixed.pem",
                      test::make_certificate(test::Kind::ecdsa, "a.test").key_pem() + test::ecdsa().certificate_pem());
    }
    Texts find(const std::string& lines, const std::string& services = "smtp inet n - n - - smtpd\n")
    {
        std::string text = "compatibility_level = 3.6\nmyhostname = mail.example.test\n" + lines;
        for (std::size_t at; (at = text.find("DIR")) != text.npos;) text.replace(at, 3, folder_.path());
        folder_.write("main.cf", text);
        folder_.write("master.cf", services);
        config::LoadOptions options;
        options.directory = folder_.path();
        options.checks = config::Checks::none;
        Texts texts;
        for (const auto& problem : find_server_hints(*config::Settings::load(options))) {
            EXPECT_EQ(problem.level, config::Problem::Level::warning);
            std::string said = problem.text;
            for (std::size_t at; (at = said.find(folder_.path())) != said.npos;)
                said.replace(at, folder_.path().size(), "DIR");
            texts.push_back(said);
        }
        return texts;
    }

    test::Folder folder_;
    const std::string good_ = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = DIR/mail.pem\n";
};

TEST_F(ServerHints, words_that_are_not_in_force_are_read_too)
{
    EXPECT_EQ(find(good_), Texts{});
    EXPECT_EQ(find(good_ + "smtpd_tls_mandatory_ciphers = hgih\n"),
              Texts{"DIR/main.cf, line 5: smtpd_tls_mandatory_ciphers = hgih: invalid cipher grade: is high meant?"});
    EXPECT_EQ(find(good_ + "smtpd_tls_ciphers = HIGH\nsmtpd_tls_mandatory_ciphers = medium\n"), Texts{});
    EXPECT_EQ(
        find(good_ + "tls_high_cipherlist = NOSUCH\ntls_medium_cipherlist = HIGH:!aNULL\n"),
        Texts{
            "DIR/main.cf, line 5: tls_high_cipherlist = NOSUCH: OpenSSL knows none of these ciphers: remove the line"});
    EXPECT_EQ(find(good_ + "smtpd_tls_fingerprint_digest = sha265\n"),
              Texts{"DIR/main.cf, line 5: smtpd_tls_fingerprint_digest = sha265: there is no such digest algorithm: is "
                    "sha256 meant?"});
    EXPECT_EQ(
        find(good_ + "smtpd_tls_CApath = /nosuch/folder\n"),
        Texts{"DIR/main.cf, line 5: smtpd_tls_CApath = /nosuch/folder: No such file or directory: it is a folder of "
              "certificates, made ready by c_rehash"});
    EXPECT_EQ(find(good_ + "smtpd_tls_CApath = DIR/both.pem\n").size(), 1u);
    EXPECT_EQ(find("smtpd_tls_mandatory_ciphers = hgih\n"), Texts{}); // no TLS
    EXPECT_EQ(find("", "465 inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n  -o smtpd_tls_ciphers=strong\n"),
              Texts{"DIR/master.cf: line 3: smtpd_tls_ciphers = strong: invalid cipher grade"});
}

TEST_F(ServerHints, a_certificate_for_other_names_is_named)
{
    const std::string level = "smtpd_tls_security_level = may\n";
    EXPECT_EQ(
        find(level + "smtpd_tls_chain_files =\n  DIR/both.pem\n"),
        Texts{"DIR/main.cf, line 4: smtpd_tls_chain_files = DIR/both.pem: the certificate is for other.test, and this "
              "server calls itself myhostname = mail.example.test: clients that check certificates must know it by a "
              "name of the certificate"});
    // One of several is enough; what cannot be read is named by others; without a domain nobody looks for us.
    EXPECT_EQ(find(level + "smtpd_tls_chain_files = DIR/both.pem, DIR/mail.pem\n"), Texts{});
    EXPECT_EQ(find(level + "smtpd_tls_chain_files = /nosuch\n"), Texts{});
    EXPECT_EQ(find(level + "smtpd_tls_chain_files = DIR/both.pem\nmyhostname = mail\n"), Texts{});
    EXPECT_EQ(find("smtpd_tls_chain_files = DIR/both.pem\n"), Texts{});
}

TEST_F(ServerHints, chains_for_names_that_cannot_be_used_are_named)
{
    std::string text = "good.test " + folder_.path() + "/both.pem\n# x\nbad.test " + folder_.path() +
                       "/cert.pem\nworse.test " + folder_.path() + "/mixed.pem\nnone.test /nosuch\n";
    folder_.write("names", text);
    const Texts found = find(good_ + "tls_server_sni_maps = texthash:DIR/names\n");
    ASSERT_EQ(found.size(), 3u);
    EXPECT_TRUE(found[0].starts_with("DIR/names, line 3: tls_server_sni_maps: bad.test: ")) << found[0];
    EXPECT_TRUE(found[1].starts_with("DIR/names, line 4: tls_server_sni_maps: worse.test: ")) << found[1];
    EXPECT_TRUE(found[2].starts_with("DIR/names, line 5: tls_server_sni_maps: none.test: ")) << found[2];
    for (const auto& said : found)
        EXPECT_TRUE(said.ends_with(": clients that ask for that name get the usual certificate")) << said;
    EXPECT_EQ(find(good_ + "tls_server_sni_maps = inline:{ { a.test = DIR/mail.pem } }\n"), Texts{});
    EXPECT_EQ(find(good_ + "tls_server_sni_maps =\n  inline:{ { a.test = /nosuch } }\n").size(), 1u);
}

} // namespace
} // namespace ekiden::tls
