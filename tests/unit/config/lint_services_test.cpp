#include "config/lint_services.hpp"

#include "config/lint.hpp"
#include "unit/config/folder.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace ekiden::config {
namespace {

using test::Folder;
using test::Texts;
using test::texts;

struct Case {
    std::string_view main, master;
    Texts want;
};

void check(const std::vector<Case>& cases, std::vector<Problem> (*part)(const Settings&))
{
    for (const auto& row : cases) {
        Folder folder("compatibility_level = 3.6\n" + std::string(row.main), std::string(row.master));
        std::ofstream(folder.path() + "/both.pem") << "-----BEGIN PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\n";
        std::ofstream(folder.path() + "/turned.pem") << "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n";
        std::ofstream(folder.path() + "/cert.pem") << "-----BEGIN CERTIFICATE-----\n";
        std::ofstream(folder.path() + "/key.pem") << "-----BEGIN EC PRIVATE KEY-----\n";
        EXPECT_EQ(texts(part(*Settings::load(folder.options(Checks::none))), folder.path()), row.want)
            << row.main << row.master;
    }
}

TEST(LintOverrides, names_what_has_no_effect)
{
    check(
        {
            {"",
             "submission inet n - n - - smtpd\n -o syslog_name=postfix/submission -o smtpd_tls_security_level=encrypt\n -o milter_macro_daemon_name=ORIGINATING\n",
             {}},
            {"",
             "587 inet n - n - - smtpd -o header_checks= -o smtpd_helo_required=yes\n",
             {"DIR/master.cf: line 1: -o header_checks= has no effect on smtpd(8), it belongs to cleanup: write receive_override_options=no_header_body_checks, or a "
              "cleanup line with its own header_checks and cleanup_service_name"}},
            {"",
             "smtp inet n - n - - smtpd\n587 inet n - n - - smtpd -o smtp_bind_address=192.0.2.1\n",
             {"DIR/master.cf: line 2: -o smtp_bind_address=192.0.2.1 has no effect on smtpd(8), it belongs to smtp"}},
            {"",
             "587 inet n - n - - smtpd -o myorigin=a.test\n",
             {"DIR/master.cf: line 1: -o myorigin=a.test has no effect on smtpd(8), it belongs to trivial-rewrite and cleanup"}},
            {"", "relay unix - - n - - lmtp -o smtp_helo_timeout=5 -o smtp_tls_security_level=may\n", {}},
            {"",
             "smtp unix - - n - - smtp -o smtpd_banner=x\n",
             {"DIR/master.cf: line 1: -o smtpd_banner=x has no effect on smtp(8), it belongs to postscreen, smtpd"}},
            {"",
             "587 inet n - n - - smtpd -o smptd_banner=x\n",
             {"DIR/master.cf: line 1: unused parameter: smptd_banner=x: is smtpd_banner meant?"}},
            {"", "anvil unix - - n - 1 anvil\n  -o anvil_rate_time_unit=10s\n", {}},
            {"",
             "flush unix n - n 1000? 0 flush\n  -o syslog_name=x\n  # a remark\n  -o fast_flush_purge_time=1d -o fast_flush_domains=a.test\n"
             "showq unix n - n - - showq -o smtpd_banner=x\n",
             {"DIR/master.cf: line 2: -o syslog_name=x has no effect: flush(8) is part of the server, and goes by main.cf: remove it",
              "DIR/master.cf: line 4: -o fast_flush_domains=a.test has no effect: flush(8) is part of the server, and goes by main.cf: remove it",
              "DIR/master.cf: line 5: -o smtpd_banner=x has no effect on showq(8), it belongs to postscreen, smtpd"}},
            {"smtpd_client_restrictions = $mua_client\n", "587 inet n - n - - smtpd -o mua_client=permit\n", {}},
            {"", "587 inet n - n - - smtpd -o mua_client=permit -o smtpd_client_restrictions=$mua_client\n", {}},
            {"smtpd_restriction_classes = strict\n", "587 inet n - n - - smtpd -o strict=reject\n", {}},
            {"", "587 inet n - n - - smtpd -o tls_preempt_cipherlist=yes\n", {}},
            {"",
             "sub unix n - n - 0 cleanup -o header_checks=regexp:/x\n587 inet n - n - - smtpd -o cleanup_service_name=sub\n",
             {}},
            {"",
             "587 inet n - n - - smtpd -o cleanup_service_name=sub\n",
             {"fatal DIR/master.cf: line 1: cleanup_service_name = sub: master.cf has no cleanup service of that name"}},
        },
        lint_overrides);
}

TEST(LintTls, proposes_what_is_worth_having)
{
    check(
        {
            {"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = ${config_directory}/both.pem\nsmtpd_tls_protocols = >=TLSv12\n",
             "",
             {"DIR/main.cf, line 4: smtpd_tls_protocols = >=TLSv12: unknown protocol \">=TLSv12\": is TLSv1.2 meant?"}},
            {"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = ${config_directory}/both.pem\nsmtpd_tls_mandatory_protocols = TLSv9\n",
             "",
             {"DIR/main.cf, line 4: smtpd_tls_mandatory_protocols = TLSv9: unknown protocol \"TLSv9\""}},
            {"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = ${config_directory}/turned.pem\n",
             "",
             {"DIR/main.cf, line 3: smtpd_tls_chain_files: DIR/turned.pem must begin with a private key, the certificates behind it"}},
        },
        lint_tls);
}

TEST(LintWords, names_the_line_of_the_word)
{
    check(
        {
            {"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_security_options = noanonymous,\n  \xe3\x80\x80noplaintext\n",
             "",
             {"fatal DIR/main.cf, line 4: unknown SASL security options value \"\xe3\x80\x80noplaintext\" in "
              "smtpd_sasl_security_options: is noplaintext meant?"}},
        },
        lint_logins);
    check(
        {
            {"",
             "587 inet n - n - - smtpd\n  -o { receive_override_options = no_milters,\n      no_adress_mappings }\n",
             {"fatal DIR/master.cf: line 3: unknown receive_override_options value \"no_adress_mappings\" in \"no_milters,"
              "      no_adress_mappings\": is no_address_mappings meant?"}},
        },
        lint_words);
}

TEST(LintWords, names_what_does_not_exist)
{
    check(
        {
            {"receive_override_options = no_header_body_checks, no_milters\nsmtpd_upstream_proxy_protocol = haproxy\n",
             "",
             {}},
            {"",
             "smtp inet n - n - - smtpd\n10025 inet n - n - - smtpd -o receive_override_options=no_header_body_check\n",
             {"fatal DIR/master.cf: line 2: unknown receive_override_options value \"no_header_body_check\" in \"no_header_body_check\": is no_header_body_checks meant?"}},
            {"smtpd_upstream_proxy_protocol = ha-proxy\n",
             "",
             {"fatal DIR/main.cf, line 2: unsupported smtpd_upstream_proxy_protocol value: ha-proxy: is haproxy meant?"}},
            {"smtpd_forbid_bare_newline = normalise\n",
             "",
             {"fatal DIR/main.cf, line 2: invalid setting: 'smtpd_forbid_bare_newline = normalise': is normalize meant?"}},
            {"local_header_rewrite_clients = permit_mynetwork, static:all\n",
             "",
             {"DIR/main.cf, line 2: unknown local_header_rewrite_clients item: permit_mynetwork: is permit_mynetworks meant?"}},
        },
        lint_words);
}

TEST(LintLogins, names_what_cannot_work)
{
    check(
        {
            {"smtpd_sasl_type = dovcot\n", "", {}},  // nobody logs in
            {"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovcot\n",
             "",
             {"fatal DIR/main.cf, line 3: smtpd_sasl_type = dovcot: unsupported SASL server implementation: is dovecot meant?"}},
            {"smtpd_sasl_type = foo\n",
             "25 inet n - n - - smtpd\n587 inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes\n",
             {"fatal DIR/main.cf, line 2: smtpd_sasl_type = foo: unsupported SASL server implementation"}},
            {"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_security_options = noanonymus, noplaintext\n",
             "",
             {"fatal DIR/main.cf, line 3: unknown SASL security options value \"noanonymus\" in smtpd_sasl_security_options: is noanonymous meant?"}},
            {"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_security_options = noanonymous\n \xe3\x80\x80noplaintext\n",
             "",
             {"fatal DIR/main.cf, line 4: unknown SASL security options value \"\xe3\x80\x80noplaintext\" in smtpd_sasl_security_options: is noplaintext meant?"}},
            {"smtpd_sasl_auth_enable = yes\n",
             "587 inet n - n - - smtpd -o smtpd_sasl_security_options=noactive,nofoo\n",
             {"fatal DIR/master.cf: line 1: unknown SASL security options value \"nofoo\" in smtpd_sasl_security_options"}},
            {"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_path = sasl2/smtpd.conf\n",
             "",
             {"DIR/main.cf, line 3: smtpd_sasl_path = sasl2/smtpd.conf looks like a file name: it is the name of the application, so that Cyrus SASL reads sasl2/smtpd.conf.conf: is smtpd meant?"}},
            {"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_path = private/auth\n",
             "",
             {"DIR/main.cf, line 3: smtpd_sasl_path = private/auth looks like a socket, but smtpd_sasl_type is cyrus: is smtpd_sasl_type = dovecot meant?"}},
            {"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = private/auth\n", "", {}},
            {"smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = yes\n",
             "",
             {"DIR/main.cf, line 3: smtpd_tls_auth_only = yes, and TLS is off: nobody can log in: write smtpd_tls_security_level = may"}},
            {"smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = yes\n",
             "465 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n",
             {}},
            {"smtpd_sasl_auth_enable = yes\nsmtpd_sender_restrictions = reject_sender_login_mismatch\n",
             "",
             {"DIR/main.cf, line 3: reject_sender_login_mismatch without smtpd_sender_login_maps: nobody owns any address, so mail of everybody who has logged in is refused"}},
            {"smtpd_sender_restrictions = reject_authenticated_sender_login_mismatch\n",
             "",
             {"DIR/main.cf, line 2: reject_authenticated_sender_login_mismatch does nothing, because nobody can log in: write smtpd_sasl_auth_enable = yes, or remove it"}},
            {"",
             "587 inet n - n - - smtpd -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n",
             {"DIR/master.cf: line 1: smtpd_client_restrictions has permit_sasl_authenticated, but nobody can log in at this port: add -o smtpd_sasl_auth_enable=yes"}},
            {"smtpd_client_restrictions = permit_sasl_authenticated, reject\nsmtpd_sasl_auth_enable = yes\nsmtpd_delay_reject = no\n",
             "",
             {"DIR/main.cf, line 2: permit_sasl_authenticated in smtpd_client_restrictions permits nobody while smtpd_delay_reject = no: write smtpd_delay_reject = yes, or use smtpd_relay_restrictions"}},
            {"smtpd_sender_restrictions = reject_sender_login_mismatch\nsmtpd_sender_login_maps = inline:{a=b}\n",
             "smtp inet n - n - - smtpd\nsubmission inet n - n - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n",
             {}},
            {"smtpd_sasl_auth_enable = yes\nsmtpd_sender_restrictions = reject_known_sender_login_mismatch\n",
             "",
             {"DIR/main.cf, line 3: reject_known_sender_login_mismatch without smtpd_sender_login_maps: nobody owns any address, so it refuses nothing"}},
        },
        lint_logins);
}

TEST(LintTls, names_what_cannot_work)
{
    check(
        {
            {"smtpd_tls_cert_file = /nonexistent\n", "", {}},  // TLS is off
            {"smtpd_tls_security_level = encypt\nsmtpd_tls_chain_files = ${config_directory}/both.pem\n",
             "",
             {"fatal DIR/main.cf, line 2: Invalid TLS level \"encypt\": is encrypt meant?"}},
            {"smtpd_tls_security_level = verify\nsmtpd_tls_chain_files = ${config_directory}/both.pem\n",
             "",
             {"DIR/main.cf, line 2: smtpd_tls_security_level: unsupported TLS level \"verify\", using \"encrypt\""}},
            {"smtpd_tls_security_level = dane\nsmtpd_tls_chain_files = ${config_directory}/both.pem\n",
             "",
             {"fatal DIR/main.cf, line 2: Invalid TLS level \"dane\""}},
            {"smtpd_tls_security_level = may\n",
             "",
             {"DIR/main.cf, line 2: no server certificate is configured (smtpd_tls_chain_files, or smtpd_tls_cert_file and smtpd_tls_key_file): TLS will not be available"}},
            {"smtpd_tls_security_level = may\nsmtpd_tls_cert_file = ${config_directory}/both.pem\n", "", {}},
            {"smtpd_tls_security_level = may\nsmtpd_tls_cert_file = none\n", "", {}},
            {"smtpd_tls_security_level = may\nsmtpd_tls_cert_file = ${config_directory}/cert.pem\n",
             "",
             {"DIR/main.cf, line 3: smtpd_tls_cert_file = DIR/cert.pem: a certificate without its private key: smtpd_tls_key_file is not set, and the key is not in this file"}},
            {"smtpd_tls_security_level = may\nsmtpd_tls_cert_file = ${config_directory}/cert.pem\nsmtpd_tls_key_file = ${config_directory}/key.pem\n",
             "",
             {}},
            {"smtpd_tls_security_level = may\nsmtpd_tls_cert_file = ${config_directory}/key.pem\nsmtpd_tls_key_file = ${config_directory}/cert.pem\n",
             "",
             {"DIR/main.cf, line 3: smtpd_tls_cert_file = DIR/key.pem: there is no certificate in this file",
              "DIR/main.cf, line 4: smtpd_tls_key_file = DIR/cert.pem: there is no private key in this file"}},
            {"smtpd_tls_security_level = may\nsmtpd_tls_cert_file = /nonexistent\n",
             "",
             {"DIR/main.cf, line 3: smtpd_tls_cert_file = /nonexistent: No such file or directory"}},
            {"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = ${config_directory}/cert.pem, /nonexistent\n",
             "",
             {"DIR/main.cf, line 3: smtpd_tls_chain_files: DIR/cert.pem must begin with a private key, the certificates behind it",
              "DIR/main.cf, line 3: smtpd_tls_chain_files = /nonexistent: No such file or directory"}},
            {"smtpd_tls_chain_files = ${config_directory}/both.pem\nsmtpd_tls_protocols = !SSLv2, !SSLv3, TLS1.2\n",
             "25 inet n - n - - smtpd -o smtpd_tls_security_level=may\n",
             {"DIR/main.cf, line 3: smtpd_tls_protocols = !SSLv2, !SSLv3, TLS1.2: unknown protocol \"TLS1.2\": is TLSv1.2 meant?"}},
            {"smtpd_tls_chain_files = ${config_directory}/both.pem\n",
             "25 inet n - n - - smtpd -o smtpd_tls_security_level=may -o smtpd_tls_mandatory_protocols=>=TLSv1.2:<=0x0304\n",
             {}},
            {"smtpd_tls_chain_files = ${config_directory}/both.pem\n",
             "25 inet n - n - - smtpd -o smtpd_tls_security_level=foo\n",
             {"fatal DIR/master.cf: line 1: Invalid TLS level \"foo\""}},
            {"smtpd_relay_restrictions = permit_tls_clientcerts, reject_unauth_destination\n",
             "smtp inet n - n - - smtpd\n",
             {"DIR/main.cf, line 2: permit_tls_clientcerts in smtpd_relay_restrictions finds no certificate, because no client is asked for one: write smtpd_tls_ask_ccert = yes"}},
            {"smtpd_relay_restrictions = permit_tls_clientcerts, reject_unauth_destination\n",
             "smtp inet n - n - - smtpd\n587 inet n - n - - smtpd -o smtpd_tls_req_ccert=yes\n",
             {}},
            {"smtpd_tls_chain_files = ${config_directory}/both.pem\n",
             "smtps inet n - n - - smtpd -o smtpd_tls_security_level=encrypt\n"
             "127.0.0.1:465 inet n - n - - smtpd\n"
             "587 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n"
             "submissions inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n",
             {"DIR/master.cf: line 1: service smtps inet: clients of this port begin with TLS, and wait for it in vain: add -o smtpd_tls_wrappermode=yes",
              "DIR/master.cf: line 3: service 587 inet: clients of this port wait for a greeting in plain text: keep smtpd_tls_wrappermode for smtps, port 465"}},
        },
        lint_tls);
}

TEST(LintLogins, says_what_a_server_line_cannot_have)
{
    Folder folder("compatibility_level = 3.6\nmyhostname = mail.a.test\n",
                  "25 inet n - n - - smtpd -o smtpd_timeout=soon\n");
    const auto found = texts(lint(*Settings::load(folder.options())), folder.path());
    EXPECT_EQ(found, Texts{"fatal DIR/master.cf: line 1: parameter smtpd_timeout: bad time value or unit: soon"});
}

// What people copy from notes on the web, slips included: each is refused or named, with its line.
TEST(Lint, knows_the_slips_of_old_notes)
{
    const std::pair<std::string_view, std::string_view> slips[] = {
        {"relayhost:192.0.2.1\n", "DIR/main.cf, line 2: missing '=' after attribute name: \"relayhost:192.0.2.1\""},
        {"myhostname = main.\xe3\x83\x89.test   # name\n",
         "parameter myhostname: bad parameter value: main.\xe3\x83\x89.test   # name"},
        {"myorigin = $mydomain   # ours\n", "myorigin parameter setting must not contain multiple values"},
        {"inet_interfaces = all   # every\n", "config variable inet_interfaces: host not found: all"},
        {"mydestination = $myhostname,  # us\n $mydomain = all\n", "line 2: \"# us"},
        {"mynetworks = 192.0.2.0/24, 127.0.0.0/8  # nets\n", "line 2: \"# nets\" is part of the value of mynetworks"},
        {"mail_spool_directory = /var/mai\n", "line 2: mail_spool_directory = /var/mai: there is no such folder"},
        {"smtpd_banner = $myhostname ESMTP  # short\n", "line 2: \"# short\" is part of the value of smtpd_banner"},
        {"smtp_sasl_auth_enable = yes  # on\n", "bad boolean configuration: smtp_sasl_auth_enable = yes  # on"},
        {"message_size_limit = 5000000 # five MB\n",
         "bad numerical configuration: message_size_limit = 5000000 # five MB"},
        {"biff = no\nsmtpd_banner = x\n\tmyhostname = a.test\n\tmydomain = test\n",
         "line 4: \"myhostname = \xe2\x80\xa6\" is part of the value of smtpd_banner"},
        {"smtpd_recipient_restrictions = permit_mynetworks\n \xe3\x80\x80reject_unauth_destination\n",
         "a full-width space (U+3000) in front of \"reject_unauth_destination\""},
        {"smtpd_recipient_restrictions = permit_mynetworks\n\xe3\x80\x80reject\n",
         "line 3: missing '=' after attribute name"},
        {"smtpd_recipient_restrictions = permit_mynetworks, \xe2\x80\xbb"
         "note\n",
         "unknown smtpd restriction: \"\xe2\x80\xbb"
         "note\""},
        {"smtpd_client_restrictions = reject_unknown_client\n", "reject_unknown_client"},
        {"biff = no\nbiff = yes\n", "line 3: overriding earlier entry: biff=no"},
        {"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_path = sasl2/smtpd.conf\n",
         "line 3: smtpd_sasl_path = sasl2/smtpd.conf looks like a file name"},
        {"smtp_sasl_auth_enable = yes\n",
         "line 2: specify a password table via the `smtp_sasl_password_maps' configuration parameter"},
        {"smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = static:a:b\nsmtp_sasl_security_options = noplaintxt\n",
         "line 4: unknown SASL security options value \"noplaintxt\" in smtp_sasl_security_options: is noplaintext meant?"},
        {"smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = static:a:b\nsmtp_sasl_type = dovecot\n",
         "line 4: smtp_sasl_type = dovecot: unsupported SASL client implementation"},
        {"lmtp_tls_security_level = encypt\n", "line 2: Invalid TLS level \"encypt\": is encrypt meant?"},
        {"smtp_tls_wrappermode = yes\nsmtp_tls_security_level = may\n",
         "line 2: smtp_tls_wrappermode requires \"smtp_tls_security_level = encrypt\""},
        {"smtpd_sasl_application_name = smtpd\n",
         "line 2: unused parameter: smtpd_sasl_application_name=smtpd: it is called smtpd_sasl_path"},
    };
    for (const auto& [lines, want] : slips) {
        Folder folder("compatibility_level = 3.6\n" + std::string(lines));
        std::string said;
        try {
            const auto settings = Settings::load(folder.options());
            for (const auto& text : texts(settings->problems(), folder.path())) said += text + "\n";
            for (const auto& text : texts(lint(*settings), folder.path())) said += text + "\n";
        } catch (const ConfigError& error) {
            said = texts({{Problem::Level::fatal, error.location, error.what()}}, folder.path()).front();
        }
        EXPECT_NE(said.find(want), said.npos) << lines << said;
    }
}

}  // namespace
}  // namespace ekiden::config
