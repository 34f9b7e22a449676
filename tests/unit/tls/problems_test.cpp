#include "tls/problems.hpp"

#include "config/settings.hpp"
#include "tls/server_options.hpp"
#include "unit/tls/certificates.hpp"

#include <gmock/gmock.h>

namespace ekiden::tls {
namespace {

using Texts = std::vector<std::string>;
using test::Folder;

class Problems : public testing::Test {
protected:
    config::SettingsPtr load(const std::string& lines, const std::string& services = "smtp inet n - n - - smtpd\n")
    {
        std::string text = lines;
        for (std::size_t at; (at = text.find("DIR")) != text.npos;) text.replace(at, 3, folder.path());
        folder.write("main.cf", "compatibility_level = 3.6\n" + text);
        folder.write("master.cf", services);
        config::LoadOptions options;
        options.directory = folder.path();
        options.checks = config::Checks::none;
        return config::Settings::load(options);
    }
    Texts find(const std::string& lines, const std::string& services = "smtp inet n - n - - smtpd\n")
    {
        Texts texts;
        for (const auto& problem : find_server_problems(*load(lines, services))) {
            std::string text = (problem.level == config::Problem::Level::fatal ? "fatal " : "") + problem.text;
            for (std::size_t at; (at = text.find(folder.path())) != text.npos;)
                text.replace(at, folder.path().size(), "DIR");
            texts.push_back(text);
        }
        return texts;
    }
    Folder folder;
};

TEST_F(Problems, are_named_with_file_and_line)
{
    folder.write("good.pem", test::ecdsa().pem());
    folder.write("cert.pem", test::ecdsa().certificate_pem());
    folder.write("other.key", test::rsa().key_pem());
    const std::string good = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = DIR/good.pem\n";
    const struct {
        std::string lines;
        Texts want;
    } rows[] = {
        {"", {}},
        {good, {}},
        {"smtpd_tls_cert_file = /nonexistent\n", {}},
        {"smtpd_tls_security_level = may\n", {"DIR/main.cf, line 2: No server certs available. TLS won't be enabled"}},
        {"smtpd_use_tls = yes\n", {"DIR/main.cf, line 2: No server certs available. TLS won't be enabled"}},
        {"smtpd_tls_security_level = encrypt\n", {"fatal DIR/main.cf, line 2: No server certs available. TLS won't be enabled"}},
        {"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = /nonexistent\n", {"DIR/main.cf, line 3: error opening chain file: /nonexistent: No such file or directory"}},
        {"smtpd_tls_security_level = may\nsmtpd_tls_cert_file = DIR/cert.pem\nsmtpd_tls_key_file = DIR/other.key\n",
         {"DIR/main.cf, line 3: RSA private key in DIR/other.key does not match public key in DIR/cert.pem"}},
        {"smtpd_tls_security_level = foo\n", {"fatal DIR/main.cf, line 2: Invalid TLS level \"foo\""}},
        {"smtpd_tls_security_level = verify\nsmtpd_tls_chain_files = DIR/good.pem\n", {"DIR/main.cf, line 2: smtpd_tls_security_level: unsupported TLS level \"verify\", using \"encrypt\""}},
        {good + "smtpd_tls_protocols = TLSv9\n", {"DIR/main.cf, line 4: Invalid TLS protocol list \"TLSv9\": disabling TLS support"}},
        {good + "smtpd_tls_mandatory_protocols = TLSv9\n", {}},
        {good + "smtpd_tls_ciphers = foo\n", {"DIR/main.cf, line 4: invalid cipher grade: \"foo\""}},
        {good + "smtpd_tls_ciphers = high\ntls_high_cipherlist = foo\n", {"DIR/main.cf, line 4: error setting cipher grade: \"high\" (no cipher match)"}},
        {good + "tls_ssl_options = NO_TICKET, foo\n", {"DIR/main.cf, line 4: unknown tls_ssl_options value \"foo\" in \"NO_TICKET, foo\""}},
        {good + "smtpd_tls_fingerprint_digest = foo\n", {"DIR/main.cf, line 4: Digest algorithm \"foo\" not found"}},
        {good + "tls_eecdh_auto_curves = foo, X25519\n", {"DIR/main.cf, line 4: ignoring unknown ECDHE curve \"foo\""}},
        {good + "smtpd_tls_CAfile = /nonexistent\n", {"DIR/main.cf, line 4: cannot load Certification Authority data, CAfile=\"/nonexistent\" (No such file or directory)"}},
        {good + "smtpd_tls_dh1024_param_file = /nonexistent\n",
         {"DIR/main.cf, line 4: error opening DH parameter file \"/nonexistent\": No such file or directory -- OpenSSL's own are used"}},
        {good + "tls_session_ticket_cipher = aes-256-gcm\n", {"DIR/main.cf, line 4: tls_session_ticket_cipher: invalid value: aes-256-gcm; session tickets disabled"}},
        {good + "smtpd_tls_req_ccert = yes\n", {"DIR/main.cf, line 4: Can't require client certs unless TLS is required"}},
        {good + "smtpd_tls_loglevel = x\n", {"DIR/main.cf, line 4: unknown smtpd_tls_loglevel value \"x\" in \"x\""}},
    };
    for (const auto& row : rows) EXPECT_EQ(find(row.lines), row.want) << row.lines;
}

TEST_F(Problems, of_services_are_looked_for_with_their_own_settings_and_said_once)
{
    EXPECT_EQ(find("", "465 inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n"),
              Texts{"fatal DIR/master.cf: line 2: No server certs available. TLS won't be enabled"});
    EXPECT_EQ(find("smtpd_tls_security_level = may\n",
                   "25 inet n - n - - smtpd\n587 inet n - n - - smtpd\n26 inet n - n - - smtpd\n")
                  .size(),
              1u);
    EXPECT_EQ(find("smtpd_tls_security_level = may\n", "25 unix n - n - - cleanup\n"), Texts{});
}

TEST_F(Problems, levels_come_from_old_switches_too)
{
    using Level = ServerOptions::Level;
    const struct {
        std::string lines;
        Level level;
        bool is_demanded, auth_needs_tls;
    } rows[] = {
        {"", Level::none, false, false},
        {"smtpd_tls_security_level = none\nsmtpd_use_tls = yes\n", Level::none, false, false},
        {"smtpd_use_tls = yes\n", Level::may, false, false},
        {"smtpd_enforce_tls = yes\n", Level::encrypt, true, true},
        {"smtpd_tls_security_level = May\nsmtpd_tls_auth_only = yes\n", Level::may, false, true},
        {"smtpd_tls_wrappermode = yes\n", Level::encrypt, true, true},
        {"smtpd_tls_wrappermode = yes\nsmtpd_tls_security_level = may\n", Level::encrypt, true, true},
    };
    for (const auto& row : rows) {
        const auto options = ServerOptions::from(*load(row.lines));
        EXPECT_EQ(options.level, row.level) << row.lines;
        EXPECT_EQ(options.is_demanded(), row.is_demanded) << row.lines;
        EXPECT_EQ(options.auth_needs_tls, row.auth_needs_tls) << row.lines;
    }
}

}  // namespace
}  // namespace ekiden::tls
