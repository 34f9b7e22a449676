#include "world.hpp"

#include "config/settings.hpp"

namespace ekiden::check {
namespace {

using test::World;

struct Case {
    const char* label;
    const char* config;      // added to main.cf
    const char* client;
    const char* sender;
    const char* recipient;
    const char* helo;
    const char* want;        // "" = permitted
};

// Replies as a real Postfix gave them to the same questions.
const Case cases[] = {
    {"default relay", "", "127.0.0.2", "sender@remote.test", "x@other.test", "h.test",
     "454 4.7.1 <x@other.test>: Relay access denied"},
    {"default relay: mynetworks", "", "127.0.0.1", "sender@remote.test", "x@other.test", "h.test", ""},
    {"percent", "", "127.0.0.2", "s@remote.test", "user1%other.test@golden.test", "h.test",
     "454 4.7.1 <user1%other.test@golden.test>: Relay access denied"},
    {"bang", "", "127.0.0.2", "s@remote.test", "other.test!user1@golden.test", "h.test",
     "454 4.7.1 <other.test!user1@golden.test>: Relay access denied"},
    {"quoted at", "", "127.0.0.2", "s@remote.test", "user1@other.test@golden.test", "h.test",
     "454 4.7.1 <user1@other.test@golden.test>: Relay access denied"},
    {"percent alone", "", "127.0.0.2", "s@remote.test", "user1%other.test", "h.test",
     "454 4.7.1 <user1%other.test>: Relay access denied"},
    {"reject relay",
     "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_mynetworks permit_sasl_authenticated reject_unauth_destination\n",
     "127.0.0.2", "s@remote.test", "x@other.test", "h.test", "554 5.7.1 <x@other.test>: Relay access denied"},
    {"relay domain", "relay_domains = ok.test\n", "127.0.0.2", "s@remote.test", "any@ok.test", "h.test", ""},
    {"relay subdomain", "relay_domains = ok.test\n", "127.0.0.2", "s@remote.test", "any@sub.ok.test", "h.test", ""},
    {"relay recipient unknown", "relay_domains = ok.test\nrelay_recipient_maps = inline:{a@ok.test=x}\n", "127.0.0.2",
     "s@remote.test", "any@ok.test", "h.test",
     "550 5.1.1 <any@ok.test>: Recipient address rejected: User unknown in relay recipient table"},
    {"unknown user", "", "127.0.0.2", "s@remote.test", "nosuch@golden.test", "h.test",
     "550 5.1.1 <nosuch@golden.test>: Recipient address rejected: User unknown in local recipient table"},
    {"unknown bare", "", "127.0.0.2", "s@remote.test", "nosuch", "h.test",
     "550 5.1.1 <nosuch>: Recipient address rejected: User unknown in local recipient table"},
    {"extension unknown", "", "127.0.0.2", "s@remote.test", "user1+ext@golden.test", "h.test",
     "550 5.1.1 <user1+ext@golden.test>: Recipient address rejected: User unknown in local recipient table"},
    {"extension known", "recipient_delimiter = +\n", "127.0.0.2", "s@remote.test", "user1+ext@golden.test", "h.test",
     ""},
    {"upper case", "", "127.0.0.2", "s@remote.test", "USER1@GOLDEN.TEST", "h.test", ""},
    {"table name hidden", "show_user_unknown_table_name = no\n", "127.0.0.2", "s@remote.test", "nosuch@golden.test",
     "h.test", "550 5.1.1 <nosuch@golden.test>: Recipient address rejected: User unknown"},
    {"no recipient maps", "local_recipient_maps =\n", "127.0.0.2", "s@remote.test", "nosuch@golden.test", "h.test", ""},
    {"virtual alias domain", "virtual_alias_domains = va.test\nvirtual_alias_maps = inline:{a@va.test=user1}\n",
     "127.0.0.2", "s@remote.test", "b@va.test", "h.test",
     "550 5.1.1 <b@va.test>: Recipient address rejected: User unknown in virtual alias table"},
    {"virtual alias known", "virtual_alias_domains = va.test\nvirtual_alias_maps = inline:{a@va.test=user1}\n",
     "127.0.0.2", "s@remote.test", "a@va.test", "h.test", ""},
    {"virtual mailbox", "virtual_mailbox_domains = vm.test\nvirtual_mailbox_maps = inline:{a@vm.test=x}\n", "127.0.0.2",
     "s@remote.test", "b@vm.test", "h.test",
     "550 5.1.1 <b@vm.test>: Recipient address rejected: User unknown in virtual mailbox table"},
    {"unlisted sender", "smtpd_reject_unlisted_sender = yes\n", "127.0.0.2", "nosuch@golden.test", "user1@golden.test",
     "h.test", "550 5.1.0 <nosuch@golden.test>: Sender address rejected: User unknown in local recipient table"},
    {"error transport", "transport_maps = inline:{ {t2.test = error:5.7.1 no mail for t2} }\n", "127.0.0.1",
     "s@remote.test", "a@t2.test", "h.test", "550 5.7.1 <a@t2.test>: Recipient address rejected: no mail for t2"},
    {"error without code", "transport_maps = inline:{ {t8.test = error:no such place} }\n", "127.0.0.1",
     "s@remote.test", "a@t8.test", "h.test", "550 5.1.1 <a@t8.test>: Recipient address rejected: no such place"},
    {"error with 4.x.x", "transport_maps = inline:{ {t9.test = error:4.1.1 later} }\n", "127.0.0.1", "s@remote.test",
     "a@t9.test", "h.test", "550 5.1.1 <a@t9.test>: Recipient address rejected: later"},
    {"error of sender",
     "smtpd_reject_unlisted_sender = yes\ntransport_maps = inline:{ {e.test = error:5.1.2 no way} }\n", "127.0.0.2",
     "a@e.test", "user1@golden.test", "h.test", "550 5.1.8 <a@e.test>: Sender address rejected: no way"},
    {"warned defer_if_reject still defers",
     "smtpd_recipient_restrictions = warn_if_reject defer, warn_if_reject defer_if_reject, reject\n", "127.0.0.2",
     "s@remote.test", "user1@golden.test", "h.test",
     "450 4.7.0 <user1@golden.test>: Recipient address rejected: defer_if_reject requested"},
    {"defer_if_permit", "smtpd_recipient_restrictions = warn_if_reject defer_if_permit, defer_if_permit\n", "127.0.0.2",
     "s@remote.test", "user1@golden.test", "h.test",
     "450 4.7.0 <user1@golden.test>: Recipient address rejected: defer_if_permit requested"},
    {"mx backup",
     "smtpd_relay_restrictions = permit_mx_backup, reject_unauth_destination\nproxy_interfaces = 127.0.0.25\n",
     "127.0.0.2", "s@remote.test", "a@prefs.test", "h.test", ""},
    {"mx primary",
     "smtpd_relay_restrictions = permit_mx_backup, reject_unauth_destination\nproxy_interfaces = 127.0.0.25\n",
     "127.0.0.2", "s@remote.test", "a@remote.test", "h.test", "554 5.7.1 <a@remote.test>: Relay access denied"},
    {"mx primary and backup",
     "smtpd_relay_restrictions = permit_mx_backup, reject_unauth_destination\nproxy_interfaces = 127.0.0.25, 127.0.0.26\n",
     "127.0.0.2", "s@remote.test", "a@prefs.test", "h.test", "554 5.7.1 <a@prefs.test>: Relay access denied"},
    {"mx backup elsewhere",
     "smtpd_relay_restrictions = permit_mx_backup, reject_unauth_destination\nproxy_interfaces = 127.0.0.25\npermit_mx_backup_networks = 192.0.2.0/24\n",
     "127.0.0.2", "s@remote.test", "a@prefs.test", "h.test", "554 5.7.1 <a@prefs.test>: Relay access denied"},
    {"mx backup trouble", "smtpd_relay_restrictions = permit_mx_backup, reject_unauth_destination\n", "127.0.0.2",
     "s@remote.test", "a@servfail.test", "h.test",
     "450 4.4.4 <a@servfail.test>: Recipient address rejected: Unable to look up mail exchanger information: Host not found, try again"},
    {"table in data list is for nobody", "smtpd_client_restrictions = inline:{127.0.0.2=REJECT}\n", "127.0.0.2",
     "s@remote.test", "user1@golden.test", "h.test",
     "554 5.7.1 <client2.remote.test[127.0.0.2]>: Client host rejected: Access denied"},
    {"retry transport", "transport_maps = inline:{ {t6.test = retry:4.3.2 try later} }\n", "127.0.0.1", "s@remote.test",
     "a@t6.test", "h.test", "450 4.3.2 <a@t6.test>: Recipient address rejected: try later"},
    {"soft bounce", "soft_bounce = yes\nsmtpd_relay_restrictions = reject_unauth_destination\n", "127.0.0.2",
     "s@remote.test", "x@other.test", "h.test", "454 4.7.1 <x@other.test>: Relay access denied"},
    {"soft bounce user", "soft_bounce = yes\n", "127.0.0.2", "s@remote.test", "nosuch@golden.test", "h.test",
     "450 4.1.1 <nosuch@golden.test>: Recipient address rejected: User unknown in local recipient table"},

    {"bad mynetworks", "mynetworks = 127.0.0.1/8\n", "127.0.0.2", "s@remote.test", "user1@golden.test", "h.test",
     "451 4.3.0 <user1@golden.test>: Temporary lookup failure"},
    {"unknown restriction", "smtpd_recipient_restrictions = permit_mynetworx, reject_unauth_destination\n", "127.0.0.2",
     "s@remote.test", "user1@golden.test", "h.test", "451 4.3.5 Server configuration error"},
    {"U+3000",
     "smtpd_recipient_restrictions = permit_mynetworks,\n\t\xe3\x80\x80permit_sasl_authenticated,\n\t\xe3\x80\x80reject_unauth_destination\n",
     "127.0.0.2", "s@remote.test", "user1@golden.test", "h.test", "451 4.3.5 Server configuration error"},
    {"U+3000, relay first",
     "smtpd_recipient_restrictions = permit_mynetworks,\n\t\xe3\x80\x80permit_sasl_authenticated,\n\t\xe3\x80\x80reject_unauth_destination\n",
     "127.0.0.2", "s@remote.test", "x@other.test", "h.test", "454 4.7.1 <x@other.test>: Relay access denied"},
    {"missing table",
     "smtpd_recipient_restrictions = reject_unauth_destination, check_recipient_access hash:/nonexistent/x\n",
     "127.0.0.2", "s@remote.test", "user1@golden.test", "h.test",
     "451 4.3.5 <user1@golden.test>: Recipient address rejected: Server configuration error"},
    {"failing recipient table", "local_recipient_maps = hash:/nonexistent/x\n", "127.0.0.2", "s@remote.test",
     "user1@golden.test", "h.test", "451 4.3.0 <user1@golden.test>: Temporary lookup failure"},
    {"failing relay_domains", "relay_domains = hash:/nonexistent/x\n", "127.0.0.2", "s@remote.test", "a@other.test",
     "h.test", "451 4.3.0 <a@other.test>: Temporary lookup failure"},

    {"helo one label",
     "smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname, reject_unknown_helo_hostname\n",
     "127.0.0.2", "s@remote.test", "user1@golden.test", "foo",
     "504 5.5.2 <foo>: Helo command rejected: need fully-qualified hostname"},
    {"helo underscore",
     "smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname, reject_unknown_helo_hostname\n",
     "127.0.0.2", "s@remote.test", "user1@golden.test", "foo_bar.test",
     "450 4.7.1 <foo_bar.test>: Helo command rejected: Host not found"},
    {"helo dash", "smtpd_helo_restrictions = reject_invalid_helo_hostname\n", "127.0.0.2", "s@remote.test",
     "user1@golden.test", "-x.test", "501 5.5.2 <-x.test>: Helo command rejected: Invalid name"},
    {"helo dots", "smtpd_helo_restrictions = reject_invalid_helo_hostname\n", "127.0.0.2", "s@remote.test",
     "user1@golden.test", "no..dots", "501 5.5.2 <no..dots>: Helo command rejected: Invalid name"},
    {"helo literal",
     "smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname, reject_unknown_helo_hostname\n",
     "127.0.0.2", "s@remote.test", "user1@golden.test", "[127.0.0.2]", ""},
    {"helo bad literal", "smtpd_helo_restrictions = reject_invalid_helo_hostname\n", "127.0.0.2", "s@remote.test",
     "user1@golden.test", "[1.2.3]", "501 5.5.2 <[1.2.3]>: Helo command rejected: invalid ip address"},
    {"helo bare address", "smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname\n",
     "127.0.0.2", "s@remote.test", "user1@golden.test", "127.0.0.2",
     "504 5.5.2 <127.0.0.2>: Helo command rejected: need fully-qualified hostname"},
    {"helo servfail", "smtpd_helo_restrictions = reject_unknown_helo_hostname\n", "127.0.0.2", "s@remote.test",
     "user1@golden.test", "servfail.test", "450 4.7.1 <servfail.test>: Helo command rejected: Host not found"},
    {"helo known", "smtpd_helo_restrictions = reject_unknown_helo_hostname\n", "127.0.0.2", "s@remote.test",
     "user1@golden.test", "remote.test", ""},
    {"helo masked", "smtpd_helo_restrictions = reject_invalid_helo_hostname\n", "127.0.0.2", "s@remote.test",
     "user1@golden.test", "x?y", "501 5.5.2 <x?y>: Helo command rejected: Invalid name"},
    {"no helo, no helo list", "smtpd_helo_restrictions = reject\n", "127.0.0.2", "s@remote.test", "user1@golden.test",
     "", ""},

    {"client no name",
     "smtpd_client_restrictions = reject_unknown_reverse_client_hostname, reject_unknown_client_hostname\n",
     "127.0.0.3", "s@remote.test", "user1@golden.test", "h.test",
     "450 4.7.1 Client host rejected: cannot find your reverse hostname, [127.0.0.3]"},
    {"client forged",
     "smtpd_client_restrictions = reject_unknown_reverse_client_hostname, reject_unknown_client_hostname\n",
     "127.0.0.4", "s@remote.test", "user1@golden.test", "h.test",
     "450 4.7.25 Client host rejected: cannot find your hostname, [127.0.0.4]"},
    {"client temporary", "smtpd_client_restrictions = reject_unknown_client\nunknown_client_reject_code = 550\n",
     "127.0.0.6", "s@remote.test", "user1@golden.test", "h.test",
     "450 4.7.25 Client host rejected: cannot find your hostname, [127.0.0.6]"},
    {"client code", "smtpd_client_restrictions = reject_unknown_client\nunknown_client_reject_code = 550\n",
     "127.0.0.4", "s@remote.test", "user1@golden.test", "h.test",
     "550 5.7.25 Client host rejected: cannot find your hostname, [127.0.0.4]"},
    {"submission", "smtpd_client_restrictions = permit_sasl_authenticated,reject\n", "127.0.0.1", "s@remote.test",
     "user1@golden.test", "h.test", "554 5.7.1 <localhost[127.0.0.1]>: Client host rejected: Access denied"},
    {"plaintext", "smtpd_client_restrictions = reject_plaintext_session\n", "127.0.0.1", "s@remote.test",
     "user1@golden.test", "h.test", "450 4.7.1 Session encryption is required"},

    {"sender nxdomain", "smtpd_sender_restrictions = reject_unknown_sender_domain\n", "127.0.0.2", "a@nx.nosuch.test",
     "user1@golden.test", "h.test", "450 4.1.8 <a@nx.nosuch.test>: Sender address rejected: Domain not found"},
    {"sender servfail", "smtpd_sender_restrictions = reject_unknown_sender_domain\n", "127.0.0.2", "a@servfail.test",
     "user1@golden.test", "h.test", "450 4.1.8 <a@servfail.test>: Sender address rejected: Domain not found"},
    {"sender null mx", "smtpd_sender_restrictions = reject_unknown_sender_domain\n", "127.0.0.2", "a@nullmx.test",
     "user1@golden.test", "h.test",
     "550 5.7.27 <a@nullmx.test>: Sender address rejected: Domain nullmx.test does not accept mail (nullMX)"},
    {"sender no address", "smtpd_sender_restrictions = reject_unknown_sender_domain\n", "127.0.0.2", "a@noaddr.test",
     "user1@golden.test", "h.test", "450 4.1.8 <a@noaddr.test>: Sender address rejected: Domain not found"},
    {"sender a only", "smtpd_sender_restrictions = reject_unknown_sender_domain\n", "127.0.0.2", "a@a-only.test",
     "user1@golden.test", "h.test", ""},
    {"sender mx without host", "smtpd_sender_restrictions = reject_unknown_sender_domain\n", "127.0.0.2",
     "a@mxnohost.test", "user1@golden.test", "h.test", ""},
    {"sender null", "smtpd_sender_restrictions = reject_unknown_sender_domain, reject_non_fqdn_sender\n", "127.0.0.2",
     "", "user1@golden.test", "h.test", ""},
    {"sender literal", "smtpd_sender_restrictions = reject_unknown_sender_domain, reject_non_fqdn_sender\n",
     "127.0.0.2", "a@[127.0.0.2]", "user1@golden.test", "h.test", ""},
    {"sender ours", "smtpd_sender_restrictions = reject_unknown_sender_domain\n", "127.0.0.2", "a@localhost",
     "user1@golden.test", "h.test", ""},
    {"sender 550", "smtpd_sender_restrictions = reject_unknown_sender_domain\nunknown_address_reject_code = 550\n",
     "127.0.0.2", "a@nx.nosuch.test", "user1@golden.test", "h.test",
     "550 5.1.8 <a@nx.nosuch.test>: Sender address rejected: Domain not found"},
    {"sender not fqdn", "smtpd_recipient_restrictions = reject_non_fqdn_sender\n", "127.0.0.2", "a@b",
     "user1@golden.test", "h.test", "504 5.5.2 <a@b>: Sender address rejected: need fully-qualified address"},
    {"recipient not fqdn", "smtpd_recipient_restrictions = reject_non_fqdn_recipient\n", "127.0.0.1", "s@remote.test",
     "user1", "h.test", "504 5.5.2 <user1>: Recipient address rejected: need fully-qualified address"},
    {"recipient nxdomain", "smtpd_recipient_restrictions = reject_unknown_recipient_domain\n", "127.0.0.1",
     "s@remote.test", "a@nx.nosuch.test", "h.test",
     "450 4.1.2 <a@nx.nosuch.test>: Recipient address rejected: Domain not found"},
    {"recipient null mx", "smtpd_recipient_restrictions = reject_unknown_recipient_domain\n", "127.0.0.1",
     "s@remote.test", "a@nullmx.test", "h.test",
     "556 5.1.10 <a@nullmx.test>: Recipient address rejected: Domain nullmx.test does not accept mail (nullMX)"},

    {"rbl", "smtpd_recipient_restrictions = reject_unauth_destination reject_rbl_client rbl.test\n", "127.0.0.2",
     "s@remote.test", "user1@golden.test", "h.test",
     "554 5.7.1 Service unavailable; Client host [127.0.0.2] blocked using rbl.test; Listed, see http://rbl.test/?ip=127.0.0.2"},
    {"rbl not listed", "smtpd_recipient_restrictions = reject_rbl_client rbl.test\n", "127.0.0.3", "s@remote.test",
     "user1@golden.test", "h.test", ""},
    {"rbl no text", "smtpd_recipient_restrictions = reject_rbl_client notxt.test\n", "127.0.0.2", "s@remote.test",
     "user1@golden.test", "h.test", "554 5.7.1 Service unavailable; Client host [127.0.0.2] blocked using notxt.test"},
    {"rbl pattern hit", "smtpd_recipient_restrictions = reject_rbl_client notxt.test=127.0.0.[2;9..11]\n", "127.0.0.2",
     "s@remote.test", "user1@golden.test", "h.test",
     "554 5.7.1 Service unavailable; Client host [127.0.0.2] blocked using notxt.test"},
    {"rbl pattern miss", "smtpd_recipient_restrictions = reject_rbl_client notxt.test=127.0.0.[2..9]\n", "127.0.0.2",
     "s@remote.test", "user1@golden.test", "h.test", ""},
    {"rbl servfail", "smtpd_recipient_restrictions = reject_rbl_client servfail.test\n", "127.0.0.2", "s@remote.test",
     "user1@golden.test", "h.test", ""},
    {"rbl without zone", "smtpd_recipient_restrictions = reject_rbl_client\n", "127.0.0.2", "s@remote.test",
     "user1@golden.test", "h.test", ""},
    {"rbl reply map",
     "smtpd_recipient_restrictions = reject_rbl_client rbl.test\nrbl_reply_maps = inline:{ {rbl.test = $$rbl_code 5.7.9 go away $$client_name} }\n",
     "127.0.0.2", "s@remote.test", "user1@golden.test", "h.test", "554 5.7.9 go away client2.remote.test"},
    {"rhsbl sender", "smtpd_recipient_restrictions = reject_rhsbl_sender rhsbl.test\n", "127.0.0.2", "a@spammer.test",
     "user1@golden.test", "h.test",
     "554 5.7.1 Service unavailable; Sender address [a@spammer.test] blocked using rhsbl.test; spammer.test is listed"},
    {"rhsbl helo", "smtpd_recipient_restrictions = reject_rhsbl_helo rhsbl.test\n", "127.0.0.2", "s@remote.test",
     "user1@golden.test", "spammer.test",
     "554 5.7.1 Service unavailable; Helo command [spammer.test] blocked using rhsbl.test; spammer.test is listed"},
    {"dnswl does not open the relay",
     "smtpd_relay_restrictions = permit_dnswl_client rbl.test, reject_unauth_destination\n", "127.0.0.2",
     "s@remote.test", "x@other.test", "h.test", "554 5.7.1 <x@other.test>: Relay access denied"},
    {"dnswl permits", "smtpd_recipient_restrictions = permit_dnswl_client rbl.test, reject\n", "127.0.0.2",
     "s@remote.test", "user1@golden.test", "h.test", ""},
    {"dnswl trouble", "smtpd_recipient_restrictions = permit_dnswl_client servfail.test, reject\n", "127.0.0.2",
     "s@remote.test", "user1@golden.test", "h.test",
     "450 4.7.1 <127.0.0.2>: Client host rejected: Service unavailable"},
    {"check_relay_domains",
     "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_mynetworks, check_relay_domains\n", "127.0.0.2",
     "s@remote.test", "x@other.test", "h.test",
     "554 5.7.1 <x@other.test>: Recipient address rejected: Relay access denied"},
    {"null sender, one", "smtpd_recipient_restrictions = reject_multi_recipient_bounce\n", "127.0.0.2", "",
     "user1@golden.test", "h.test", ""},
    {"class loop", "smtpd_restriction_classes = c\nc = c\nsmtpd_recipient_restrictions = c\n", "127.0.0.2",
     "s@remote.test", "user1@golden.test", "h.test", "451 4.3.5 Server configuration error"},
    {"policy server down",
     "smtpd_recipient_restrictions = check_policy_service { inet:127.0.0.1:1, timeout=1s, try_limit=1 }\n", "127.0.0.2",
     "s@remote.test", "user1@golden.test", "h.test",
     "451 4.3.5 <user1@golden.test>: Recipient address rejected: Server configuration problem"},
};

TEST(Evaluate, SaysWhatPostfixSays)
{
    for (const Case& c : cases) {
        SCOPED_TRACE(c.label);
        World world(c.config);
        EXPECT_EQ(world.rcpt(World::facts(c.client, c.sender, c.recipient, c.helo)), c.want);
    }
}

TEST(Evaluate, LogsLikePostfix)
{
    World world("");
    world.rcpt(World::facts("127.0.0.2", "sender@remote.test", "user1@other.test@golden.test"));
    ASSERT_EQ(world.log.size(), 1u);
    EXPECT_EQ(
        world.log[0],
        "NOQUEUE: reject: RCPT from client2.remote.test[127.0.0.2]: 454 4.7.1 <user1@other.test@golden.test>: Relay access denied; "
        "from=<sender@remote.test> to=<\"user1@other.test\"@golden.test> proto=ESMTP helo=<client2.remote.test>");
}

TEST(Evaluate, WarnsInOrderAndPermits)
{
    World world(
        "smtpd_client_restrictions = check_client_access inline:{127.0.0.3=DUNNO}, warn_if_reject reject\n"
        "smtpd_helo_restrictions = warn_if_reject reject\nsmtpd_sender_restrictions = warn_if_reject reject\n"
        "smtpd_relay_restrictions = warn_if_reject reject, reject_unauth_destination\n"
        "smtpd_recipient_restrictions = warn_if_reject reject\nsmtpd_data_restrictions = warn_if_reject reject\n"
        "smtpd_end_of_data_restrictions = warn_if_reject reject\n");
    Facts facts = World::facts();
    EXPECT_EQ(world.rcpt(facts), "");
    const std::string head = "NOQUEUE: reject_warning: RCPT from client2.remote.test[127.0.0.2]: 554 5.7.1 ";
    const std::string tail =
        "; from=<sender@remote.test> to=<user1@golden.test> proto=ESMTP helo=<client2.remote.test>";
    const std::vector<std::string> want = {
        head + "<client2.remote.test[127.0.0.2]>: Client host rejected: Access denied" + tail,
        head + "<client2.remote.test>: Helo command rejected: Access denied" + tail,
        head + "<sender@remote.test>: Sender address rejected: Access denied" + tail,
        head + "<user1@golden.test>: Recipient address rejected: Access denied" + tail,
        head + "<user1@golden.test>: Recipient address rejected: Access denied" + tail,
    };
    EXPECT_EQ(world.log, want);
    world.log.clear();
    facts.queue_id = "C8BBB176B1B";
    facts.recipients = {"user1@golden.test"};
    facts.recipient_count = 1;
    world.evaluate(Stage::data, facts);
    world.evaluate(Stage::end_of_data, facts);
    ASSERT_EQ(world.log.size(), 2u);
    EXPECT_EQ(
        world.log[0],
        "C8BBB176B1B: reject_warning: DATA from client2.remote.test[127.0.0.2]: 554 5.7.1 <DATA>: Data command rejected: Access denied" +
            tail);
    EXPECT_EQ(
        world.log[1],
        "C8BBB176B1B: reject_warning: END-OF-MESSAGE from client2.remote.test[127.0.0.2]: 554 5.7.1 <END-OF-MESSAGE>: End-of-data rejected: Access denied" +
            tail);
}

TEST(Evaluate, DelaysClientRefusalButNotForVrfyAndEtrn)
{
    World world("smtpd_client_restrictions = check_client_access inline:{127.0.0.3=REJECT}, permit\n");
    Facts facts = World::facts("127.0.0.3");
    for (const Stage stage : {Stage::connect, Stage::helo, Stage::mail})
        EXPECT_EQ(world.evaluate(stage, facts).action, Verdict::Action::permit);
    EXPECT_EQ(world.rcpt(facts), "554 5.7.1 <unknown[127.0.0.3]>: Client host rejected: Access denied");
    world.log.clear();
    facts.has_sender = false;
    facts.recipient = "user1";
    EXPECT_EQ(world.rcpt(facts, Stage::vrfy), "554 5.7.1 <unknown[127.0.0.3]>: Client host rejected: Access denied");
    facts.recipient.clear();
    facts.etrn_domain = "golden.test";
    world.evaluate(Stage::etrn, facts);
    ASSERT_EQ(world.log.size(), 2u);
    EXPECT_EQ(
        world.log[0],
        "NOQUEUE: reject: VRFY from unknown[127.0.0.3]: 554 5.7.1 <unknown[127.0.0.3]>: Client host rejected: Access denied; to=<user1> proto=ESMTP helo=<client2.remote.test>");
    EXPECT_EQ(
        world.log[1],
        "NOQUEUE: reject: ETRN from unknown[127.0.0.3]: 554 5.7.1 <unknown[127.0.0.3]>: Client host rejected: Access denied; proto=ESMTP helo=<client2.remote.test>");
}

TEST(Evaluate, RefusesAtOnceWithoutDelay)
{
    World world("smtpd_delay_reject = no\nsmtpd_client_restrictions = check_client_access inline:{127.0.0.3=REJECT}\n");
    Facts facts;
    facts.client_address = *net::parse_address("127.0.0.3");
    const Verdict verdict = world.evaluate(Stage::connect, facts);
    EXPECT_EQ(smtp::one_line(verdict.reply), "554 5.7.1 <unknown[127.0.0.3]>: Client host rejected: Access denied");
    ASSERT_EQ(world.log.size(), 1u);
    EXPECT_EQ(
        world.log[0],
        "NOQUEUE: reject: CONNECT from unknown[127.0.0.3]: 554 5.7.1 <unknown[127.0.0.3]>: Client host rejected: Access denied; proto=SMTP");
}

TEST(Evaluate, DeferralsOfEarlierStagesAreDueAtRcpt)
{
    struct {
        const char* name;
        const char* config;
        const char* reply;
    } rows[] = {
        {"client", "smtpd_client_restrictions = check_client_access static:{DEFER_IF_PERMIT client}\n",
         "450 4.7.1 <client2.remote.test[127.0.0.2]>: Client host rejected: client"},
        {"helo", "smtpd_helo_restrictions = check_helo_access static:{DEFER_IF_PERMIT helo}\n",
         "450 4.7.1 <client2.remote.test>: Helo command rejected: helo"},
        {"sender", "smtpd_sender_restrictions = check_sender_access static:{DEFER_IF_PERMIT sender}\n",
         "450 4.7.1 <sender@remote.test>: Sender address rejected: sender"},
        {"a refusal wins",
         "smtpd_client_restrictions = check_client_access static:{DEFER_IF_PERMIT client}\nsmtpd_recipient_restrictions = reject\n",
         "554 5.7.1 <user1@golden.test>: Recipient address rejected: Access denied"},
        {"the first one counts",
         "smtpd_client_restrictions = check_client_access static:{DEFER_IF_PERMIT client}\n"
         "smtpd_sender_restrictions = check_sender_access static:{DEFER_IF_PERMIT sender}\n",
         "450 4.7.1 <client2.remote.test[127.0.0.2]>: Client host rejected: client"},
        {"none", "smtpd_client_restrictions = permit\n", ""},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        World world(std::string("smtpd_delay_reject = no\n") + row.config);
        Facts facts = World::facts();
        const std::string sender = std::exchange(facts.sender, {}), recipient = std::exchange(facts.recipient, {}),
                          helo = std::exchange(facts.helo_name, {});
        facts.has_sender = false;
        EXPECT_EQ(world.evaluate(Stage::connect, facts).action, Verdict::Action::permit);
        facts.helo_name = helo;
        EXPECT_EQ(world.evaluate(Stage::helo, facts).action, Verdict::Action::permit);
        facts.has_sender = true;
        facts.sender = sender;
        EXPECT_EQ(world.evaluate(Stage::mail, facts).action, Verdict::Action::permit);
        EXPECT_EQ(world.log, std::vector<std::string>());
        facts.recipient = recipient;
        EXPECT_EQ(world.rcpt(facts), row.reply);
        EXPECT_EQ(world.rcpt(facts), row.reply) << "for every recipient";
    }
}

TEST(Evaluate, DeferralIsForgottenWithItsStage)
{
    World world(
        "smtpd_delay_reject = no\nsmtpd_sender_restrictions = check_sender_access inline:{ { a@remote.test = DEFER_IF_PERMIT sender } }\n"
        "smtpd_helo_restrictions = check_helo_access inline:{ { a.test = DEFER_IF_PERMIT helo } }\n");
    Facts facts = World::facts("127.0.0.2", "a@remote.test", "user1@golden.test", "a.test");
    world.evaluate(Stage::helo, facts);
    world.evaluate(Stage::mail, facts);
    EXPECT_EQ(world.rcpt(facts), "450 4.7.1 <a.test>: Helo command rejected: helo");
    facts.helo_name = "b.test";
    world.evaluate(Stage::helo, facts);
    EXPECT_EQ(world.rcpt(facts), "450 4.7.1 <a@remote.test>: Sender address rejected: sender");
    facts.sender = "b@remote.test";
    world.evaluate(Stage::mail, facts);
    EXPECT_EQ(world.rcpt(facts), "");
}

// What Postfix 3.7 does with DEFER_IF_REJECT in one list and a refusal in another.
TEST(Evaluate, DeferIfRejectIsAboutItsOwnList)
{
    struct {
        const char* first;
        const char* second;
        bool is_deferred;
    } rows[] = {
        {"client", "helo", false}, {"client", "sender", false}, {"helo", "sender", false}, {"sender", "recipient", false},
        {"client", "relay", false}, {"client", "recipient", false}, {"relay", "recipient", true}, {"recipient", "recipient", true}, {"sender", "sender", true},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(std::string(row.first) + " " + row.second);
        const std::string defers =
            std::string("reject_unauth_destination, check_client_access static:{DEFER_IF_REJECT later}");
        const bool is_one = std::string_view(row.first) == row.second;
        World world(std::string("smtpd_") + row.first + "_restrictions = " + defers + (is_one ? ", reject\n" : "\n") +
                    (is_one ? std::string() : std::string("smtpd_") + row.second + "_restrictions = reject\n"));
        EXPECT_EQ(world.rcpt(World::facts()).substr(0, 3), row.is_deferred ? "450" : "554");
    }
    World unlisted(
        "smtpd_recipient_restrictions = reject_unauth_destination, check_client_access static:{DEFER_IF_REJECT later}\n");
    EXPECT_EQ(unlisted.rcpt(World::facts("127.0.0.2", "a@remote.test", "nobody@golden.test")).substr(0, 3), "450");
    World earlier("smtpd_client_restrictions = check_client_access static:{DEFER_IF_REJECT later}\n");
    EXPECT_EQ(earlier.rcpt(World::facts("127.0.0.2", "a@remote.test", "nobody@golden.test")).substr(0, 3), "550");
}

// warn_if_reject is about refusals; what changes a message is carried out.
TEST(Evaluate, WarnIfRejectCarriesOutWhatIsNoRefusal)
{
    for (const char* action : {"DISCARD", "HOLD", "FILTER smtp:foo", "REDIRECT a@b", "BCC a@b", "PREPEND X: y"}) {
        SCOPED_TRACE(action);
        World world("smtpd_client_restrictions = warn_if_reject check_client_access static:{" + std::string(action) +
                    "}\n");
        const Verdict verdict = world.evaluate(Stage::rcpt, World::facts());
        EXPECT_EQ(verdict.action, Verdict::Action::permit);
        EXPECT_EQ(verdict.discards + verdict.holds + !verdict.filter.empty() + !verdict.redirect.empty() +
                      verdict.bcc.size() + verdict.prepend.size(),
                  1u);
        for (const std::string& line : world.log) EXPECT_EQ(line.find("reject_warning"), std::string::npos) << line;
    }
}

TEST(Evaluate, EndlessTableResultsEnd)
{
    World world(
        "smtpd_restriction_classes = one\none = check_client_access static:one\nsmtpd_client_restrictions = one\n");
    EXPECT_EQ(world.rcpt(World::facts()), "451 4.3.5 Server configuration error");
    ASSERT_FALSE(world.log.empty());
    EXPECT_EQ(world.log[0], "warning: access table static:one entry one causes unreasonable recursion");
}

TEST(Evaluate, OldNamesActAndAreSaidOnce)
{
    struct {
        const char* name;
        const char* modern;
        const char* reply;
    } rows[] = {
        {"reject_unknown_client", "reject_unknown_client_hostname", "450 4.7.25 Client host rejected: cannot find your hostname, [127.0.0.3]"},
        {"reject_invalid_hostname", "reject_invalid_helo_hostname", "501 5.5.2 <-x->: Helo command rejected: Invalid name"},
        {"reject_non_fqdn_hostname", "reject_non_fqdn_helo_hostname", "504 5.5.2 <-x->: Helo command rejected: need fully-qualified hostname"},
        {"reject_unknown_hostname", "reject_unknown_helo_hostname", "450 4.7.1 <-x->: Helo command rejected: Host not found"},
        {"reject_unknown_address", "reject_unknown_sender_domain", "450 4.1.8 <s@nowhere.test>: Sender address rejected: Domain not found"},
        {"check_recipient_maps", "reject_unlisted_recipient", "550 5.1.1 <nobody@golden.test>: Recipient address rejected: User unknown in local recipient table"},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        World world("smtpd_recipient_restrictions = " + std::string(row.name) + "\n");
        const Facts facts = World::facts("127.0.0.3", "s@nowhere.test", "nobody@golden.test", "-x-");
        EXPECT_EQ(world.rcpt(facts), row.reply);
        EXPECT_EQ(world.rcpt(facts), row.reply);
        ASSERT_EQ(world.log.size(), 3u);
        EXPECT_EQ(world.log[0], "warning: restriction \"" + std::string(row.name) + "\" is an old name; use \"" +
                                    row.modern + "\" instead");
    }
}

TEST(Evaluate, LogsPermitsThatAreAskedFor)
{
    World world(
        "smtpd_client_restrictions = permit_inet_interfaces\nsmtpd_helo_restrictions = permit\n"
        "smtpd_recipient_restrictions = check_client_access static:DUNNO, permit_auth_destination\nsmtpd_log_access_permit_actions = static:all\n");
    EXPECT_EQ(world.rcpt(World::facts("127.0.0.1")), "");
    const std::string head = "NOQUEUE: permit: RCPT from localhost[127.0.0.1]: action=";
    const std::string tail =
        " ; from=<sender@remote.test> to=<user1@golden.test> proto=ESMTP helo=<client2.remote.test>";
    const std::vector<std::string> want = {head + "permit_inet_interfaces for Client host=localhost[127.0.0.1]" + tail,
                                           head + "permit for Helo command=client2.remote.test" + tail,
                                           head + "permit_mynetworks for Client host=localhost[127.0.0.1]" + tail,
                                           head + "permit_auth_destination for Recipient address=user1@golden.test" +
                                               tail};
    EXPECT_EQ(world.log, want);
}

TEST(Evaluate, NullSenderHasOneRecipient)
{
    World world(
        "smtpd_recipient_restrictions = reject_multi_recipient_bounce\nsmtpd_data_restrictions = reject_multi_recipient_bounce\n");
    Facts facts = World::facts("127.0.0.2", "", "user2@golden.test");
    facts.recipient_count = 1;
    EXPECT_EQ(world.rcpt(facts), "550 5.5.3 <user2@golden.test>: Recipient address rejected: Multi-recipient bounce");
    facts.recipient_count = 2;
    facts.recipients = {"user1@golden.test", "user2@golden.test"};
    world.log.clear();
    world.evaluate(Stage::data, facts);
    ASSERT_EQ(world.log.size(), 1u);
    EXPECT_EQ(
        world.log[0],
        "NOQUEUE: reject: DATA from client2.remote.test[127.0.0.2]: 550 5.5.3 <DATA>: Data command rejected: Multi-recipient bounce; from=<> proto=ESMTP helo=<client2.remote.test>");
}

TEST(Evaluate, TellsWhoseFaultItIs)
{
    World world("smtpd_recipient_restrictions = permit_mynetworx\n");
    EXPECT_EQ(world.evaluate(Stage::rcpt, World::facts()).fault, Verdict::Fault::software);
    ASSERT_EQ(world.log.size(), 2u);
    EXPECT_EQ(world.log[0], "warning: unknown smtpd restriction: \"permit_mynetworx\"");
    ASSERT_EQ(world.policy->problems().size(), 1u);
    EXPECT_EQ(world.policy->problems()[0].level, config::Problem::Level::warning);
}

TEST(Evaluate, LoginMismatch)
{
    const std::string maps =
        "smtpd_sender_login_maps = inline:{user1@golden.test=test@golden.test user2@golden.test=other { bob@golden.test = first, second third } }\n";
    struct {
        const char* restriction;
        const char* login;
        const char* sender;
        const char* want;
    } rows[] = {
        {"reject_sender_login_mismatch", "", "user1@golden.test", "553 5.7.1 <user1@golden.test>: Sender address rejected: not logged in"},
        {"reject_sender_login_mismatch", "", "alice@golden.test", ""},
        {"reject_sender_login_mismatch", "", "", ""},
        {"reject_sender_login_mismatch", "test@golden.test", "user1@golden.test", ""},
        {"reject_sender_login_mismatch", "test@golden.test", "user2@golden.test", "553 5.7.1 <user2@golden.test>: Sender address rejected: not owned by user test@golden.test"},
        {"reject_sender_login_mismatch", "test@golden.test", "alice@golden.test", "553 5.7.1 <alice@golden.test>: Sender address rejected: not owned by user test@golden.test"},
        {"reject_sender_login_mismatch", "test@golden.test", "", ""},
        {"reject_known_sender_login_mismatch", "test@golden.test", "alice@golden.test", ""},
        {"reject_known_sender_login_mismatch", "test@golden.test", "user2@golden.test", "553 5.7.1 <user2@golden.test>: Sender address rejected: not owned by user test@golden.test"},
        {"reject_authenticated_sender_login_mismatch", "", "user2@golden.test", ""},
        {"reject_unauthenticated_sender_login_mismatch", "test@golden.test", "user2@golden.test", ""},
        {"reject_sender_login_mismatch", "second", "bob@golden.test", ""},
        {"reject_sender_login_mismatch", "THIRD", "bob@golden.test", ""},
        {"reject_sender_login_mismatch", "fourth", "bob@golden.test", "553 5.7.1 <bob@golden.test>: Sender address rejected: not owned by user fourth"},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(std::string(row.restriction) + " " + row.login + " " + row.sender);
        World world("smtpd_sasl_auth_enable = yes\nsmtpd_sender_restrictions = " + std::string(row.restriction) + "\n" +
                    maps);
        Facts facts = World::facts("127.0.0.2", row.sender);
        facts.sasl_username = row.login;
        EXPECT_EQ(world.rcpt(facts), row.want);
    }
    World off("smtpd_sender_restrictions = reject_sender_login_mismatch\n" + maps);
    EXPECT_EQ(off.rcpt(World::facts("127.0.0.2", "user1@golden.test")), "");
    const std::vector<std::string> want = {
        "warning: restriction `reject_authenticated_sender_login_mismatch' ignored: no SASL support",
        "warning: restriction `reject_unauthenticated_sender_login_mismatch' ignored: no SASL support"};
    EXPECT_EQ(off.log, want);
}

// Whatever else is configured: a stranger may not send to strangers.
TEST(Relay, IsNeverOpen)
{
    const char* configs[] = {
        "",
        "smtpd_recipient_restrictions = permit\n",
        "smtpd_recipient_restrictions = permit_mynetworks, permit\nsmtpd_client_restrictions = permit\nsmtpd_sender_restrictions = permit\nsmtpd_helo_restrictions = permit\n",
        "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, permit\n",
        "smtpd_relay_restrictions = permit_mynetworks\nsmtpd_recipient_restrictions = permit_auth_destination, reject\n",
        "smtpd_relay_restrictions = permit_tls_all_clientcerts, permit_tls_clientcerts, permit_sasl_authenticated, reject\n",
        "smtpd_relay_restrictions = permit_mx_backup, reject_unauth_destination\n",
        "smtpd_relay_restrictions = permit_dnswl_client rbl.test, permit_rhswl_client remote.test, reject_unauth_destination\n",
        "smtpd_relay_restrictions = check_relay_domains\n",
        "smtpd_relay_before_recipient_restrictions = no\nsmtpd_recipient_restrictions = permit\n",
        "smtpd_restriction_classes = c\nc = permit_mynetworks, reject_unauth_destination\nsmtpd_relay_restrictions = c\n",
        "smtpd_relay_restrictions = check_recipient_access hash:/nonexistent/x, reject_unauth_destination\n",
        "smtpd_relay_restrictions = permit_mynetworks, defer_if_permit\nsmtpd_recipient_restrictions = permit\n",
        "mynetworks = 127.0.0.1/8\n",
        "relay_domains = hash:/nonexistent/x\n",
        "smtpd_relay_restrictions = check_sender_mx_access static:OK, reject_unauth_destination\n",
        "smtpd_relay_restrictions = nonsense, permit\nsmtpd_recipient_restrictions = reject_unauth_destination\n",
        "smtpd_delay_reject = no\nsmtpd_client_restrictions = permit\n",
        "smtpd_reject_unlisted_recipient = no\n",
        "mydestination =\n",
    };
    for (const char* config : configs) {
        SCOPED_TRACE(config);
        World world(config);
        for (const char* recipient :
             {"x@other.test", "x%other.test@golden.test", "other.test!x@golden.test", "x@other.test@golden.test",
              "x%other.test", "@golden.test:x@other.test", "x@[192.0.2.1]"}) {
            SCOPED_TRACE(recipient);
            Facts facts = World::facts("127.0.0.2", "sender@remote.test", recipient);
            facts.sasl_username = "forged";   // without SASL this means nothing
            EXPECT_NE(world.rcpt(facts), "");
        }
    }
}

TEST(Relay, UnsafeListsDoNotStart)
{
    const char* configs[] = {
        "smtpd_relay_restrictions = permit_mynetworks\nsmtpd_recipient_restrictions = permit_mynetworks\n",
        "smtpd_relay_restrictions =\n",
        "smtpd_relay_restrictions = warn_if_reject reject_unauth_destination\n",
        "smtpd_relay_restrictions = permit, reject_unauth_destination\n",
        "smtpd_relay_restrictions = check_client_access inline:{a=reject}\n",
        "smtpd_restriction_classes = c\nc = permit_mynetworks\nsmtpd_relay_restrictions = c\n",
    };
    for (const char* config : configs) {
        SCOPED_TRACE(config);
        try {
            World world(config);
            ADD_FAILURE() << "started";
        } catch (const config::ConfigError& error) {
            EXPECT_STREQ(
                error.what(),
                "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working instance of: "
                "reject_unauth_destination, defer_unauth_destination, reject, defer, defer_if_permit or check_relay_domains");
        }
    }
}

}  // namespace
}  // namespace ekiden::check
