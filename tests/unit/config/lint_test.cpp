#include "config/lint.hpp"
#include "unit/config/folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ekiden::config {
namespace {

using test::Folder;
using test::Texts;
using test::texts;

TEST(Lint, names_what_is_probably_meant)
{
    struct Case {
        std::string_view lines, want;
    };
    const Case cases[] = {
        {"mydestinatoin = a.test",
         "DIR/main.cf, line 2: unused parameter: mydestinatoin=a.test: is mydestination meant?"},
        {"quite_unlike_anything = 1", "DIR/main.cf, line 2: unused parameter: quite_unlike_anything=1"},
        {"smtp_use_tls = yes", "DIR/main.cf, line 2: smtp_use_tls is obsolete: write smtp_tls_security_level = may"},
        {"smtp_use_tls = no", "DIR/main.cf, line 2: smtp_use_tls is obsolete: the line can go"},
        {"tls_dane_digest_agility = on",
         "DIR/main.cf, line 2: unused parameter: tls_dane_digest_agility=on: no release of Postfix reads it any more"},
        {"smtpd_sasl_application_name = smtpd",
         "DIR/main.cf, line 2: unused parameter: smtpd_sasl_application_name=smtpd: it is called smtpd_sasl_path since Postfix 2.3"},
        {"relayhost =\t# none",
         "DIR/main.cf, line 2: \"# none\" is part of the value of relayhost: a comment must have a line of its own"},
        {"mynetworks = 127.0.0.0/8 \xe3\x80\x80"
         "10.0.0.0/8",
         "DIR/main.cf, line 2: a full-width space (U+3000) in front of \"10.0.0.0/8\" is not a blank for the mail system, but part "
         "of the word: replace it by an ordinary space"},
        {"biff = no\nsmtpd_banner = one\n  myhostname = a.test",
         "DIR/main.cf, line 4: \"myhostname = …\" is part of the value of smtpd_banner, because its line begins with a blank: move "
         "it to the start of the line"},
        {"smtpd_recipient_restrictions = permit_mynetwork, check_client_access hash:/x, reject",
         "DIR/main.cf, line 2: unknown smtpd restriction: \"permit_mynetwork\": is permit_mynetworks meant?"},
        {"smtpd_recipient_restrictions = check_relay_domains",
         "DIR/main.cf, line 2: restriction \"check_relay_domains\" will be removed: use reject_unauth_destination"},
        {"relayhost = [a.test] mydomain = a.test",
         "DIR/main.cf, line 2: \"mydomain = …\" is part of the value of relayhost: move it to a line of its own"},
        {"mynetworks = 127.0.0.0/8,\n # ours\n 10.0.0.0/8 # theirs",
         "DIR/main.cf, line 4: \"# theirs\" is part of the value of mynetworks: a comment must have a line of its own"},
        {"smtpd_banner = $myhostname $nosuch $nosuch", "DIR/main.cf: undefined parameter: nosuch"},
        {"nosuch_destination_rate_delay = 1s",
         "DIR/main.cf, line 2: unused parameter: nosuch_destination_rate_delay=1s: master.cf has no service \"nosuch\""},
    };
    for (const auto& row : cases) {
        Folder folder("compatibility_level = 3.6\n" + std::string(row.lines) + "\nmyhostname = mail.a.test\n",
                      "smtp unix - - n - - smtp\n");
        EXPECT_EQ(texts(lint(*Settings::load(folder.options(Checks::none))), folder.path()),
                  Texts{std::string(row.want)})
            << row.lines;
    }
}

TEST(Lint, says_nothing_of_what_is_well_meant)
{
    Folder folder(
        "compatibility_level = 3.6\nmyhostname = mail.a.test\nmine = a.test\nmydestination = $mine, ${nosuch?x}\n"
        "smtpd_restriction_classes = strict\nstrict = reject_rbl_client bl.test, permit\n"
        "smtpd_sender_restrictions = strict, check_policy_service { inet:127.0.0.1:1, timeout=3s }, hash:/x\n"
        "virtual_alias_maps = mysql:aliases\naliases_hosts = db.test\nslow_destination_rate_delay = 1s\n"
        "smtpd_banner = $myhostname no.1#2\n",
        "slow unix - - n - - smtp\n");
    EXPECT_EQ(texts(lint(*Settings::load(folder.options(Checks::none))), folder.path()), Texts{});
}

TEST(Unsupported, refuses_what_would_be_weaker_and_warns_of_the_rest)
{
    struct Case {
        std::string_view main_cf, master_cf;
        Texts want;
    };
    const Case cases[] = {
        {"smtp_tls_security_level = encrypt\nsmtp_sasl_auth_enable = yes", "", {}},
        {"smtpd_tls_security_level = encrypt\nsmtpd_tls_cert_file = /x\nsmtpd_tls_req_ccert = yes\nsmtpd_enforce_tls = yes",
         "",
         {}},
        {"smtp_tls_security_level = may\nsmtp_tls_enable_rpk = yes\nsmtpd_tls_security_level = none",
         "",
         {"DIR/main.cf: raw public keys are not in this release, so this has no effect: smtp_tls_enable_rpk (line 2)"}},
        {"readme_directory = no\nhtml_directory = /usr/share/doc\nsample_directory = /x", "", {}},
        {"content_filter = smtp:localhost:1",
         "",
         {"fatal DIR/main.cf, line 1: content_filter = smtp:localhost:1: content filters after the queue are not in this release, "
          "and mail must not pass unfiltered"}},
        {"smtpd_milters = inet:localhost:1\nmilter_default_action = accept\nnon_smtpd_milters = unix:a.sock", "", {}},
        {"smtpd_milters =\ncontent_filter =\nsmtpd_sasl_auth_enable = no\nsmtp_tls_security_level =", "", {}},
        {"", "smtps inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes -o content_filter=\n", {}},
        {"", "submission inet n - n - - smtpd\n  -o milter_macro_daemon_name=ORIGINATING\n", {}},
        {"", "slow unix - - n - - smtp\n  -o smtp_tls_wrappermode=yes -o content_filter=\n", {}},
        {"",
         "slow inet n - n - - smtpd\n  -o content_filter=smtp:localhost:1\n",
         {"fatal DIR/master.cf: line 2: content_filter = smtp:localhost:1: content filters after the queue are not in this release, "
          "and mail must not pass unfiltered"}},
    };
    for (const auto& row : cases) {
        Folder folder(row.main_cf, row.master_cf);
        auto got = texts(find_unsupported(*Settings::load(folder.options(Checks::none))), folder.path());
        auto want = row.want;
        std::ranges::sort(got);
        std::ranges::sort(want);
        EXPECT_EQ(got, want) << row.main_cf;
    }
}

}  // namespace
}  // namespace ekiden::config
