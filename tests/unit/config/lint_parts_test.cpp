#include "config/lint_parts.hpp"

#include "config/lint.hpp"
#include "unit/config/folder.hpp"

#include <gtest/gtest.h>

namespace ekiden::config {
namespace {

using test::Folder;
using Texts = std::vector<std::string>;

struct Case {
    std::string_view main, master;
    Texts want;
};

// What the part says, the directory's name and the place of the file left out: "main 2: TEXT".
Texts said(std::vector<Problem> (*part)(const Settings&), const Case& row)
{
    Folder folder("compatibility_level = 3.6\nmyhostname = mail.a.test\n" + std::string(row.main),
                  std::string(row.master));
    Texts texts;
    for (const auto& problem : part(*Settings::load(folder.options(Checks::none)))) {
        EXPECT_TRUE(problem.text.starts_with(place_of(problem.at))) << problem.text;
        if (!problem.advice.empty()) EXPECT_TRUE(problem.text.ends_with(": " + problem.advice)) << problem.text;
        auto text = (problem.at.file.ends_with("master.cf") ? "master " : "main ") + std::to_string(problem.at.line) +
                    ": " + problem.text.substr(place_of(problem.at).size());
        for (auto at = text.find(folder.path()); at != std::string::npos; at = text.find(folder.path()))
            text.replace(at, folder.path().size(), "DIR");
        texts.push_back(std::move(text));
    }
    return texts;
}

void check(std::vector<Problem> (*part)(const Settings&), std::initializer_list<Case> cases)
{
    for (const auto& row : cases) EXPECT_EQ(said(part, row), row.want) << row.main << row.master;
}

TEST(LintRestrictions, NamesWhatIsNeverReachedWithTheLineItStandsOn)
{
    check(
        lint_restrictions,
        {
            {"smtpd_recipient_restrictions = permit_mynetworks,\n  reject_unauth_destination\n  permit\n", "", {}},
            {"smtpd_recipient_restrictions = permit_mynetworks,\n  permit\n  reject_unauth_destination\n",
             "",
             {"main 5: reject_unauth_destination is never reached: \"permit\" in front of it ends smtpd_recipient_restrictions for every client: move it in front of \"permit\", or remove it"}},
            {"smtpd_client_restrictions = permit_mynetworks, reject, reject_rbl_client bl.test\n",
             "",
             {"main 3: reject_rbl_client is never reached: \"reject\" in front of it ends smtpd_client_restrictions for every client: move it in front of \"reject\", or remove it"}},
            {"smtpd_client_restrictions = warn_if_reject reject, permit_mynetworks\n", "", {}},
            {"smtpd_client_restrictions = reject # and so on\n", "", {}},
            {"smtpd_helo_restrictions = reject_invalid_helo_hostname\n  check_helo_access hash:/a\n  check_helo_access hash:/b\n  check_helo_access hash:/a\n",
             "",
             {"main 6: check_helo_access hash:/a stands twice in smtpd_helo_restrictions: the second one can go: it never decides anything"}},
            {"smtpd_helo_restrictions = warn_if_reject reject_invalid_helo_hostname, reject_invalid_helo_hostname\n",
             "",
             {}},
            {"smtpd_restriction_classes = mine\nmine = reject\n  permit_mynetworks\n",
             "",
             {"main 5: permit_mynetworks is never reached: \"reject\" in front of it ends mine for every client: move it in front of \"reject\", or remove it"}},
            {"",
             "25 inet n - n - - smtpd\n587 inet n - n - - smtpd\n  -o smtpd_client_restrictions=permit_sasl_authenticated,reject,permit\n",
             {"master 3: permit is never reached: \"reject\" in front of it ends smtpd_client_restrictions for every client: move it in front of \"reject\", or remove it"}},
            // What only looks like a blank is another part's, with all that follows from it.
            {"smtpd_client_restrictions = permit_mynetworks,\n \xe3\x80\x80reject_rbl_client a.test\n \xe3\x80\x80reject_rbl_client b.test\n \xe3\x80\x80\n \xe3\x80\x80permit, reject\n",
             "",
             {}},
            // But an old name stays one, and a remark is no name.
            {"smtpd_client_restrictions = permit_mynetworks,\n \xe3\x80\x80reject_unknown_client,\n \xe2\x80\xbbonly ours\n",
             "",
             {"main 4: restriction \"reject_unknown_client\" is called reject_unknown_client_hostname since Postfix 2.3",
              "main 5: unknown smtpd restriction: \"\xe2\x80\xbbonly\": a remark needs a line of its own that begins with #",
              "main 5: unknown smtpd restriction: \"ours\""}},
            {"smtpd_client_restrictions = reject_rbl zen.example.test, reject_unauth_pipelinin\n",
             "",
             {"main 3: unknown smtpd restriction: \"reject_rbl\": is reject_rbl_client meant?",
              "main 3: unknown smtpd restriction: \"reject_unauth_pipelinin\": is reject_unauth_pipelining meant?"}},
            {"smtpd_client_restrictions = check_client_access\n",
             "",
             {"main 3: restriction \"check_client_access\" needs an argument"}},
        });
}

TEST(LintDomains, NamesDomainsInTwoClassesAndOriginsWithoutADomain)
{
    check(lint_domains,
          {
              {"mydestination = a.test, localhost\nvirtual_mailbox_domains = b.test\n", "", {}},
              {"mydestination = a.test, localhost\nvirtual_mailbox_domains = b.test,\n  A.test\n", "",
               {"main 4: do not list domain a.test in BOTH mydestination and virtual_mailbox_domains: mydestination decides, so remove it from one of them"}},
              {"virtual_alias_domains = v.test\nrelay_domains = $virtual_alias_domains\n", "",
               {"main 4: do not list domain v.test in BOTH virtual_alias_domains and relay_domains: virtual_alias_domains decides, so remove it from one of them"}},
              {"myhostname = mail\n", "",
               {"main 3: myhostname is mail and mydomain is localdomain: mail from here leaves as user@mail, to which nobody can answer: write myhostname = NAME.DOMAIN, or mydomain = DOMAIN"}},
              {"myhostname = mail\nmyorigin = a.test\n", "", {}},
              {"myorigin = local\n", "", {"main 3: myorigin = local: mail from here leaves as user@local, to which nobody can answer: write a domain that the DNS knows"}},
              {"myhostname = mail\ndefault_transport = error:5.1.1 no mail leaves\n", "", {}},
          });
}

TEST(LintRoutes, NamesWhatLeadsNowhereAndWhatGoesInACircle)
{
    const std::string_view smtp = "smtp inet n - n - - smtpd\nsmtp unix - - n - - smtp\nlocal unix - n n - - local\n";
    const std::string more(smtp);
    check(
        lint_routes,
        {
            {"relayhost = [mail.b.test]:587\ndefault_transport = smtp\nmailbox_transport = local\n", smtp, {}},
            {"virtual_transport = lmtpp:unix:x\nmailbox_transport = locl\n",
             smtp,
             {"main 3: virtual_transport = lmtpp:unix:x: master.cf has no service \"lmtpp\", so this mail waits: add a line for it to master.cf",
              "main 4: mailbox_transport = locl: master.cf has no service \"locl\", so this mail waits: is local meant?"}},
            {"mailbox_transport = box\n",
             more +
                 "box unix - n n - - pipe\n  user=nobody argv=/nonexistent/box -d ${recipient}\nuucp unix - n n - - pipe user=uucp argv=/nonexistent/uux\n",
             {"master 5: service box, which mailbox_transport names, runs /nonexistent/box: No such file or directory: install it, or correct the path"}},
            {"virtual_mailbox_domains = v.test\nmailbox_size_limit = 0\nmessage_size_limit = 60000000\n",
             more + "virtual unix - n n - - virtual\n",
             {"main 5: virtual_mailbox_limit = 51200000 is smaller than message_size_limit = 60000000: mail is taken that does not fit into a mailbox file, and comes back: set virtual_mailbox_limit to 0 "
              "(no limit) or to more than message_size_limit"}},
            {"virtual_mailbox_domains = v.test\nmailbox_size_limit = 0\nmessage_size_limit = 60000000\nvirtual_transport = lmtp:unix:x\n",
             more + "virtual unix - n n - - virtual\nlmtp unix - - n - - lmtp\n",
             {}},
            {"relayhost = [127.0.0.1]\n",
             smtp,
             {"main 3: relayhost = [127.0.0.1] is this server itself (line 1 of master.cf), so mail goes in a circle: name the server that takes your mail, or leave it empty"}},
            {"relayhost = Mail.A.test:25\n",
             smtp,
             {"main 3: relayhost = Mail.A.test:25 is this server itself (line 1 of master.cf), so mail goes in a circle: name the server that takes your mail, or leave it empty"}},
            {"relayhost = [127.0.0.1]:1025\n", smtp, {}},
            {"relayhost = [127.0.0.27]\n", smtp, {}},
            {"content_filter = smtp:[127.0.0.1]:10024\n",
             more + "127.0.0.1:10025 inet n - n - - smtpd\n  -o content_filter=\n",
             {}},
            {"content_filter = smtp:[127.0.0.1]:10024\n",
             more + "127.0.0.1:10025 inet n - n - - smtpd\n",
             {"master 4: what the filter gives back to 127.0.0.1:10025 goes to content_filter = smtp:[127.0.0.1]:10024 again: write -o content_filter= there"}},
            {"content_filter = smtp:[127.0.0.1]:10025\n",
             more + "127.0.0.1:10025 inet n - n - - smtpd\n",
             {"main 3: content_filter = smtp:[127.0.0.1]:10025 is this server itself (line 4 of master.cf), which sends the mail there again: name the filter's port, and write -o content_filter= at the "
              "port that takes the mail back"}},
            {"",
             more + "25 inet n - n - - smtpd\n",
             {"master 4: port 25 of service 25 is taken by service smtp in line 1, so the start fails: remove one of the two lines, or give each an address of its own"}},
            {"inet_interfaces = 192.0.2.1\n", more + "127.0.0.1:25 inet n - n - - smtpd\n", {}},
            {"", "127.0.0.1:25 inet n - n - - smtpd\n127.0.0.2:25 inet n - n - - smtpd\n", {}},
            {"",
             more + "smtp inet n - n - - smtpd\n",
             {"master 4: service smtp inet stands in line 1 already: remove one of the two lines"}},
            {"",
             more + "smtp unix - - n - - smtp\n",
             {"master 4: service smtp unix stands in line 2 already: remove one of the two lines"}},
            {"",
             more + "sub unix n - n - 0 cleanup\n",
             {"master 4: nothing names the service sub (cleanup): write -o cleanup_service_name=sub at the server that shall use it, or remove the line"}},
            {"",
             more + "spf unix - n n - 0 spawn user=nobody argv=/x\n",
             {"master 4: nothing names the service spf (spawn): write check_policy_service unix:private/spf where it shall be asked, or remove the line"}},
            {"smtpd_recipient_restrictions = check_policy_service unix:private/spf\n",
             more + "spf unix - n n - 0 spawn user=nobody argv=/x\n",
             {}},
        });
}

TEST(LintCommented, NamesEntriesWhoseServiceBecameAComment)
{
    const std::string smtp = "smtp inet n - y - - smtpd\n";
    const std::string wanted = "belongs to service smtp inet in line 1, for line 2, submission inet, is a comment: write # in "
                               "front of this line and of those behind it that go with line 2, or take it away from that one";
    struct Row {
        std::string master;
        Texts want;
    };
    const Row rows[] = {
        {smtp + "#submission inet n - y - - smtpd\n  -o smtpd_tls_security_level=encrypt\n  -o smtpd_sasl_auth_enable=yes\n",
         {"master 3: -o smtpd_tls_security_level=encrypt " + wanted}},
        {smtp + "# submission inet n - y - -\n#  -o syslog_name=x\n\n\t-o biff=no -o smtpd_delay_reject=no\n",
         {"master 5: -o biff=no " + wanted}},
        {smtp + "submission inet n - y - - smtpd\n  -o biff=no\n", {}},
        {smtp + "#submission inet n - y - - smtpd\n#  -o biff=no\n", {}},
        // What stands above it already may go on behind a comment, also one about its older form.
        {smtp + "# submission needs inet n - y - logins\n  -o biff=no\n", {}},
        {smtp + "#127.0.0.1:25 inet n - n - 20 smtpd\n  -o biff=no\n", {}},
        {smtp + "#smtp inet n - y - 1 postscreen\n  -o biff=no\n", {}},
        {smtp + "#submission inet n - y - - smtpd\n#\n# Of the port above:\n  -o biff=no\n", {}},
        {"#submission inet n - y - - smtpd\n" + smtp + "  -o biff=no\n", {}},
        {"box unix - n n - - pipe\n#old unix - n n - - pipe\n  user=nobody argv=/x -o\n", {}},
        {"#submission inet n - y - - smtpd\n  -o biff=no\n" + smtp, {}},
        {"", {}},
    };
    for (const Row& row : rows) EXPECT_EQ(said(lint_commented, {"", row.master, {}}), row.want) << row.master;
}

TEST(LintInbound, NamesListsThatRefuseTheMailOfOtherServers)
{
    const std::string_view smtp = "smtp inet n - y - - smtpd\n";
    const std::string logins = "permit_sasl_authenticated, reject\n", site = "virtual_mailbox_domains = v.test\n";
    struct Row {
        std::string main;
        std::string_view master;
        Texts want;
    };
    const auto said_of = [](std::string_view at, std::string_view list, std::string_view service, std::string_view here) {
        return std::string(at) + ": " + std::string(list) + " refuses everybody who has not logged in, and holds for service " +
               std::string(service) + " (line 1 of master.cf) too, so no other server can deliver mail for your domains: " +
               "write it as -o " + std::string(list) + "=permit_sasl_authenticated,reject below the lines for logins in " +
               "master.cf, and " + std::string(here) + " here";
    };
    const Row rows[] = {
        {site + "smtpd_client_restrictions = " + logins, smtp, {said_of("main 4", "smtpd_client_restrictions", "smtp inet", "remove it")}},
        {"smtpd_relay_restrictions =\n  permit_sasl_authenticated\n  reject\nmydestination = $myhostname, a.test\n", "smtpd pass - - n - - smtpd\n",
         {said_of("main 5", "smtpd_relay_restrictions", "smtpd pass", "reject_unauth_destination for reject")}},
        {"virtual_alias_domains = v.test\nsmtpd_recipient_restrictions = " + logins, "25 inet n - y - - smtpd\n",
         {said_of("main 4", "smtpd_recipient_restrictions", "25 inet", "reject_unauth_destination for reject")}},
        // Not about mail of other servers, or meant.
        {"smtpd_client_restrictions = " + logins, smtp, {}},
        {"mydestination = mail.a.test, localhost.a.test, localhost\nsmtpd_client_restrictions = " + logins, smtp, {}},
        {"virtual_mailbox_domains =\nsmtpd_client_restrictions = " + logins, smtp, {}},
        {site + "inet_interfaces = 127.0.0.1, [::1]\nsmtpd_client_restrictions = " + logins, smtp, {}},
        {site + "smtpd_client_restrictions = " + logins, "smtp inet n - y - - smtpd -o smtpd_client_restrictions=\n", {}},
        {site + "smtpd_client_restrictions = " + logins, "submission inet n - y - - smtpd\n", {}},
        {site + "smtpd_client_restrictions = " + logins, "192.0.2.1:25 inet n - y - - smtpd\n", {}},
        {site, "587 inet n - y - - smtpd -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n", {}},
        // A gateway may deliver what comes from outside.
        {site + "smtpd_client_restrictions = permit_mynetworks, " + logins, smtp, {}},
        {site + "smtpd_client_restrictions = permit_tls_clientcerts, " + logins, smtp, {}},
        {site + "smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination\n", smtp, {}},
        {site + "smtpd_relay_restrictions = reject\n", smtp, {}},
    };
    for (const Row& row : rows) EXPECT_EQ(said(lint_inbound, {row.main, row.master, {}}), row.want) << row.main << row.master;
}

std::vector<Problem> odd(const Settings& settings) { return find_odd_characters(settings.directory()); }

TEST(LintCharacters, NamesWhatOnlyLooksRight)
{
    check(odd,
          {
              {"smtpd_banner = $myhostname \xe2\x80\x9cours\xe2\x80\x9d\n# \xe3\x80\x80 a comment\nmydestination = b\xc3\xbc""cher.test\n", "", {}},
              {"mynetworks = 127.0.0.0/8,\n\t\xe3\x80\x80\xe3\x80\x80""10.0.0.0/8\n", "",
               {"main 4: a full-width space (U+3000) in front of \"10.0.0.0/8\" is not a blank for the mail system, but part of the word: replace it by an ordinary space"}},
              {"mynetworks = 127.0.0.0/8\xc2\xa0\n", "",
               {"main 3: a no-break space (U+00A0) behind \"127.0.0.0/8\" is not a blank for the mail system, but part of the word: replace it by an ordinary space"}},
              {"biff = no\n \xe3\x80\x80\n", "", {"main 4: a full-width space (U+3000) is no blank for the mail system, and this line holds nothing else: replace it by an ordinary space"}},
              {"message_size_limit = \xef\xbc\x91\xef\xbc\x90\n", "",
               {"main 3: a full-width \"1\" (U+FF11) is part of \"\xef\xbc\x91\xef\xbc\x90\": write 1 instead", "main 3: a full-width \"0\" (U+FF10) is part of \"\xef\xbc\x91\xef\xbc\x90\": write 0 instead"}},
              {"mydestination = a.test\xe3\x80\x81""b.test\n", "", {"main 3: an ideographic comma (U+3001) is part of \"a.test\xe3\x80\x81""b.test\": write , instead"}},
              {"biff = no\r\nrelayhost =\r\n", "", {"main 3: lines end with CR LF, as Windows writes them: sed -i 's/\\r$//' DIR/main.cf"}},
              {"", "25 inet n - n - - smtpd\n \xe2\x80\x93o smtpd_timeout=5\n", {"master 2: an en dash (U+2013) is part of \"\xe2\x80\x93o\": write - instead"}},
          });
    Folder folder("\xef\xbb\xbf# a comment\ncompatibility_level = 3.6\n");
    const auto found = find_odd_characters(folder.path());
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found.front().at.line, 1);
    EXPECT_NE(found.front().text.find("byte order mark"), std::string::npos);
}

// One fault is said once, whatever part could have found it.
TEST(Lint, SaysEachFaultOnce)
{
    const Case cases[] = {
        {"smtpd_sasl_application_name = smtpd\n", "", {"main 3: unused parameter: smtpd_sasl_application_name=smtpd: it is called smtpd_sasl_path since Postfix 2.3"}},
        {"smtpd_recipient_restrictions = permit_mynetworks\n \xe3\x80\x80reject_unauth_destination\n", "",
         {"main 4: a full-width space (U+3000) in front of \"reject_unauth_destination\" is not a blank for the mail system, but part of the word: replace it by an ordinary space"}},
    };
    for (const auto& row : cases) {
        auto texts = said(lint, row);
        for (auto& text : said(find_unsupported, row)) texts.push_back(std::move(text));
        EXPECT_EQ(texts, row.want) << row.main;
    }
}

}  // namespace
}  // namespace ekiden::config
