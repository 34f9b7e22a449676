"""Each restriction in each of the lists, and the codes and texts of their answers."""
from words import *

LISTS = ('client', 'helo', 'sender', 'relay', 'recipient', 'data', 'end_of_data', 'etrn')
RULES = ['reject', 'defer', 'permit', 'defer_if_permit', 'defer_if_reject', 'reject_unauth_destination', 'defer_unauth_destination', 'reject_unknown_client_hostname', 'reject_unknown_reverse_client_hostname',
         'reject_unknown_forward_client_hostname', 'reject_invalid_helo_hostname', 'reject_non_fqdn_helo_hostname', 'reject_unknown_helo_hostname', 'reject_non_fqdn_sender', 'reject_non_fqdn_recipient', 'reject_unknown_sender_domain',
         'reject_unknown_recipient_domain', 'reject_unlisted_sender', 'reject_unlisted_recipient', 'reject_multi_recipient_bounce', 'reject_unauth_pipelining', 'reject_plaintext_session', 'reject_rbl_client rbl.test',
         'reject_rhsbl_client rhsbl.test', 'reject_rhsbl_reverse_client rhsbl.test', 'reject_rhsbl_helo rhsbl.test', 'reject_rhsbl_sender rhsbl.test', 'reject_rhsbl_recipient rhsbl.test', 'permit_auth_destination', 'permit_inet_interfaces',
         'permit_mx_backup', 'permit_naked_ip_address', 'permit_tls_all_clientcerts', 'permit_sasl_authenticated', 'reject_sender_login_mismatch', 'check_client_access static:REJECT', 'check_helo_access static:REJECT',
         'check_sender_access static:REJECT', 'check_recipient_access static:REJECT', 'check_etrn_access static:REJECT', 'check_client_mx_access static:REJECT', 'check_helo_mx_access static:REJECT', 'check_sender_mx_access static:REJECT', 'check_recipient_mx_access static:REJECT',
         'check_helo_a_access static:REJECT', 'check_sender_a_access static:REJECT', 'check_recipient_a_access static:REJECT', 'check_client_a_access static:REJECT', 'check_reverse_client_hostname_access static:REJECT',
         'check_reverse_client_hostname_a_access static:REJECT', 'check_reverse_client_hostname_mx_access static:REJECT', 'check_client_ns_access static:REJECT', 'check_sender_ns_access static:REJECT', 'check_ccert_access static:REJECT', 'check_sasl_access static:REJECT',
         'sleep 1', 'nonsense', 'static:REJECT', 'regexp:{{/./ REJECT table}}', '450', 'reject_maps_rbl', 'permit_dnswl_client white.test', 'permit_rhswl_client rhswl.test', 'warn_if_reject reject', 'warn_if_reject defer_if_permit',
         'check_client_access', 'reject_rbl_client', 'reject_rbl_client rbl.test=127.0.0.3', 'reject_rbl_client rbl.test=127.0.0.[1..5]', 'check_sender_access fail:x', 'REJECT', 'Permit_Mynetworks', 'reject_unknown_client', 'reject_invalid_hostname', 'reject_non_fqdn_hostname', 'reject_unknown_hostname']


def words_of(rule):
    return ''.join(c if c.isalnum() else '-' for c in rule).strip('-').lower()[:48].rstrip('-')


def listed(kind, rule, more=''):
    """a list with one rule; the relay list keeps the server closed"""
    before = 'smtpd_relay_restrictions = reject_unauth_destination\n' if kind != 'relay' else ''
    return f'{before}smtpd_{kind}_restrictions = {rule}' + (', reject_unauth_destination' if kind in ('relay', 'recipient') else '') + '\n' + more


def dialogue(helo='spammer.test', sender='a@spammer.test', source='127.0.0.2'):
    return session(f'EHLO {helo}', 'VRFY user1', f'ETRN remote.test', f'MAIL FROM:<{sender}>', RCPT, RELAY, 'DATA', b'Subject: x\r\n\r\n.\r\n', 1, QUIT, source=source)


CODES = '''access_map_reject_code = 551
access_map_defer_code = 451
invalid_hostname_reject_code = 552
maps_rbl_reject_code = 553
multi_recipient_bounce_reject_code = 571
non_fqdn_reject_code = 572
plaintext_reject_code = 473
reject_code = 574
relay_domains_reject_code = 575
unknown_address_reject_code = 576
unknown_client_reject_code = 577
unknown_hostname_reject_code = 578
unknown_local_recipient_reject_code = 579
defer_code = 481
unverified_recipient_reject_code = 582
'''
WHOLE = [f'smtpd_{kind}_restrictions' for kind in LISTS]
CASES = [case('recipient-' + words_of(rule), listed('recipient', rule), dialogue()) for rule in RULES] + [
    case('early-' + words_of(rule), listed('client', rule, 'smtpd_delay_reject = no'), dialogue()) for rule in RULES[:35]] + [
    case(f'reject-in-{kind}', listed(kind, 'reject'), dialogue()) for kind in LISTS] + [
    case(f'reject-early-in-{kind}', listed(kind, 'reject', 'smtpd_delay_reject = no'), dialogue()) for kind in LISTS] + [
    case(f'defer-in-{kind}', listed(kind, 'defer'), dialogue()) for kind in LISTS] + [
    case(f'warned-in-{kind}', listed(kind, 'warn_if_reject reject, warn_if_reject reject_rbl_client rbl.test'), dialogue()) for kind in LISTS] + [
    case(f'codes-{words_of(rule)}', listed('recipient', rule, CODES), dialogue(helo='a..b', sender='a@b', source='127.0.0.3'), dialogue(helo='nx.nosuch.test', sender='a@nx.nosuch.test')) for rule in RULES[:38]] + [
    case('codes-soft', listed('recipient', 'reject_rbl_client rbl.test, reject', CODES + 'soft_bounce = yes'), dialogue()),
    case('fallen-mx', listed('recipient', 'check_sender_mx_access static:REJECT, check_sender_ns_access static:REJECT, check_sender_a_access static:REJECT'), *[dialogue(sender=f'a@{d}') for d in (
        'nullmx.test', 'mxnohost.test', 'noaddr.test', 'servfail.test', 'sub.nsname.test', 'nsname.test', 'a-only.test', 'nosuch.test', '[127.0.0.2]', 'six.test', '[IPv6:::1]')], dialogue(sender='')),
    case('mx-access', listed('recipient', 'check_sender_mx_access inline:{{mx.remote.test=REJECT by name} {127.0.0.1=REJECT by address} {127=REJECT net} {nohost.mxnohost.test=REJECT none} {nullmx.test=REJECT null}}'),
         *[tried(sender=f'a@{d}') for d in ('remote.test', 'mxself.test', 'mxnohost.test', 'nullmx.test', 'servfail.test', 'a-only.test')]),
    case('ns-access', listed('recipient', 'check_sender_ns_access inline:{{ns1.remote.test=REJECT by name} {127.0.0.53=REJECT by address}}'), *[tried(sender=f'a@{d}') for d in ('nsname.test', 'sub.nsname.test', 'x.y.sub.nsname.test', 'remote.test', 'servfail.test')]),
    case('a-access', listed('recipient', 'check_sender_a_access cidr:{{127.0.0.25/32 REJECT by address} {fd00::25/128 REJECT by six}}'), *[tried(sender=f'a@{d}') for d in ('a-only.test', 'six.test', 'remote.test', 'nosuch.test', 'servfail.test')]),
    case('helo-names', listed('helo', 'reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname, reject_unknown_helo_hostname'), *[tried(helo=h) for h in (
        'a', 'a.b', 'a_b.test', '-a.test', 'a-.test', 'a..b', '.a.test', 'a.test.', '[127.0.0.2]', '[127.0.0.256]', '127.0.0.2', '[IPv6:::1]', '[IPv6:x]', '[::1]', '::1', '[ipv6:::1]', 'a@b.test', '1.2.3', '1.2.3.4.5', 'remote.test', 'REMOTE.TEST', 'servfail.test', 'nullmx.test',
        'mxnohost.test', 'noaddr.test', 'x' * 64 + '.test', '[', '[]', '\u00fc.test', '#1', '123.test', '*.test')]),
    case('helo-early', listed('helo', 'reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname', 'smtpd_delay_reject = no\nsmtpd_helo_required = yes'), session('HELO a', MAIL, 'EHLO a_b', 'HELO a..b', 'EHLO remote.test', MAIL, 'HELO b', RCPT, QUIT)),
    case('sender-names', listed('sender', 'reject_non_fqdn_sender, reject_unknown_sender_domain'), *[tried(sender=s) for s in ('', 'a', 'a@b', 'a@b.', 'a@nosuch.test', 'a@nullmx.test', 'a@mxnohost.test', 'a@noaddr.test', 'a@servfail.test', 'a@[127.0.0.1]', 'a@[IPv6:::1]', '"a b"@remote.test',
                                                                                                                           'a@golden.test', 'a@localhost', 'a%b@golden.test', 'a@x.golden.test', 'a@six.test')]),
    case('recipient-names', listed('recipient', 'reject_non_fqdn_recipient, reject_unknown_recipient_domain'), session(EHLO, MAIL, *[f'RCPT TO:<{r}>' for r in (
        'a', 'user1', 'a@b', 'a@nosuch.test', 'a@nullmx.test', 'a@mxnohost.test', 'a@noaddr.test', 'a@servfail.test', 'a@[127.0.0.1]', 'user1@[127.0.0.1]', 'a@[127.0.0.9]', 'user1@golden.test', 'a@localhost', 'user1%remote.test@golden.test', 'postmaster')], QUIT, source='127.0.0.1')),
    case('unlisted', 'smtpd_reject_unlisted_sender = yes', *[tried('user1@golden.test', sender=s) for s in ('nobody@golden.test', 'user1@golden.test', 'x@remote.test', '')], tried('nobody@golden.test')),
    case('unlisted-not-asked', 'smtpd_reject_unlisted_sender = yes\nreceive_override_options = no_unknown_recipient_checks\nsmtpd_sender_restrictions = reject_unlisted_sender\nsmtpd_recipient_restrictions = reject_unlisted_recipient',
         tried('user1@golden.test', 'nobody@golden.test', sender='nobody@golden.test'), session(EHLO, 'VRFY nobody@golden.test', QUIT)),
    case('listed-not', 'smtpd_reject_unlisted_recipient = no', tried('nobody@golden.test', 'user1@golden.test')),
    case('unlisted-in-classes', 'virtual_alias_domains = va.test\nvirtual_alias_maps = inline:{a@va.test=x@remote.test}\nvirtual_mailbox_domains = vm.test\nvirtual_mailbox_maps = inline:{a@vm.test=x}\nrelay_domains = rl.test\nrelay_recipient_maps = inline:{a@rl.test=x}\n'
         'unknown_virtual_alias_reject_code = 551\nunknown_virtual_mailbox_reject_code = 552\nunknown_relay_recipient_reject_code = 553\nunknown_local_recipient_reject_code = 450',
         tried('a@va.test', 'b@va.test', 'a@vm.test', 'b@vm.test', 'a@rl.test', 'b@rl.test', 'b@sub.rl.test', 'nobody@golden.test', 'b'), tried('user1@golden.test', sender='nobody@va.test')),
    case('many-recipients-bounce', listed('data', 'reject_multi_recipient_bounce'), session(EHLO, 'MAIL FROM:<>', RCPT, 'RCPT TO:<user2@golden.test>', 'DATA', QUIT), session(EHLO, 'MAIL FROM:<>', RCPT, *content(), QUIT)),
    case('deferred-if', 'smtpd_client_restrictions = defer_if_permit\nsmtpd_recipient_restrictions = reject_unauth_destination', tried('user1@golden.test', 'x@other.test', 'nobody@golden.test')),
    case('deferred-if-reject', 'smtpd_client_restrictions = defer_if_reject\nsmtpd_recipient_restrictions = reject_unauth_destination', tried('user1@golden.test', 'x@other.test', 'nobody@golden.test')),
    case('deferred-if-text', 'smtpd_recipient_restrictions = check_sender_access static:{DEFER_IF_PERMIT 4.7.9 come back}, check_client_access static:{DEFER_IF_REJECT 4.7.8 wait}, reject_unauth_destination\nsmtpd_relay_restrictions =', tried('user1@golden.test', 'x@other.test')),
    case('deferred-if-other-order', 'smtpd_recipient_restrictions = check_client_access static:{DEFER_IF_REJECT 4.7.8 wait}, check_sender_access static:{DEFER_IF_PERMIT 4.7.9 come back}, reject_unauth_destination\nsmtpd_relay_restrictions =', tried('user1@golden.test', 'x@other.test')),
    case('deferred-if-then-reject', 'smtpd_recipient_restrictions = check_sender_access static:{DEFER_IF_PERMIT 4.7.9 come back}, check_client_access static:{DEFER_IF_REJECT 4.7.8 wait}, reject\nsmtpd_relay_restrictions =', tried('user1@golden.test')),
    case('deferred-if-permit-then-reject', 'smtpd_recipient_restrictions = check_sender_access static:{DEFER_IF_PERMIT 4.7.9 come back}, reject_unauth_destination, check_recipient_access inline:{{user1@golden.test=REJECT} {user2@golden.test=450 4.7.5 try}}\nsmtpd_relay_restrictions =', tried('user1@golden.test', 'user2@golden.test', 'x@other.test')),
    case('deferred-if-permitted', 'smtpd_recipient_restrictions = check_sender_access static:{DEFER_IF_PERMIT come back}, check_recipient_access inline:{user1@golden.test=OK}, reject_unauth_destination', tried('user1@golden.test', 'user2@golden.test', 'x@other.test')),
    case('trouble-then-permit', 'smtpd_recipient_restrictions = reject_unknown_sender_domain, check_recipient_access inline:{user1@golden.test=OK}, reject_unauth_destination', tried('user1@golden.test', 'user2@golden.test', 'x@other.test', sender='a@servfail.test')),
    case('trouble-later', 'smtpd_recipient_restrictions = reject_unknown_sender_domain, reject_unknown_client_hostname, reject_unknown_helo_hostname\nunknown_address_tempfail_action = defer\nunknown_helo_hostname_tempfail_action = defer', tried(sender='a@servfail.test'), tried(helo='servfail.test'), tried(source='127.0.0.6')),
    case('warn-everything', 'smtpd_client_restrictions = warn_if_reject reject_unknown_client_hostname warn_if_reject defer\nsmtpd_recipient_restrictions = warn_if_reject reject_unknown_sender_domain, warn_if_reject check_sender_access static:{DEFER_IF_PERMIT hm}, '
         'warn_if_reject reject_unauth_destination, warn_if_reject check_recipient_access static:{HOLD x}', tried('user1@golden.test', 'x@other.test', sender='a@servfail.test', source='127.0.0.3')),
    case('nested-classes', 'smtpd_restriction_classes = outer, inner, looped\nouter = warn_if_reject reject, inner\ninner = check_sender_access inline:{{sender@remote.test=reject_unknown_client_hostname, OK} {b@remote.test=looped} {c@remote.test=OUTER}}\nlooped = looped\n'
         'smtpd_recipient_restrictions = outer, reject_unauth_destination, reject', *[tried(sender=f'{s}@remote.test') for s in ('sender', 'b', 'c', 'd')]),
    case('two-relays', 'smtpd_relay_restrictions = permit_mynetworks, reject\nsmtpd_relay_before_recipient_restrictions = no\nsmtpd_recipient_restrictions = reject_rbl_client rbl.test, reject_unauth_destination', tried('user1@golden.test', 'x@other.test'), tried('x@other.test', source='127.0.0.3')),
    case('ok-in-relay', 'smtpd_relay_restrictions = check_client_access inline:{127.0.0.2=OK}, reject_unauth_destination\nsmtpd_recipient_restrictions =', tried('x@other.test'), tried('x@other.test', source='127.0.0.3')),
    case('contact', 'smtpd_recipient_restrictions = reject_unauth_destination, reject\nsmtpd_reject_footer = \\c. For help, call $myhostname; client $client_address $client_port:$client_name $server_name $recipient $sender $helo_name $localtime', session(EHLO, MAIL, RELAY, QUIT),
         ),
    case('postmaster-is-heard', 'smtpd_client_restrictions = reject\nsmtpd_recipient_restrictions = reject', tried('postmaster', 'PostMaster', 'postmaster@golden.test', 'postmaster@mail.golden.test', 'postmaster@[127.0.0.1]', 'postmaster@localhost', 'abuse', '"postmaster"', 'user1'),
         session(EHLO, 'VRFY postmaster', 'VRFY abuse', QUIT)),
    case('footer-macros', 'smtpd_reject_footer = [$client] [$client_address] [$client_name] [$reverse_client_name] [$helo_name] [$sender] [$sender_name] [$sender_domain] [$recipient] [$recipient_name] [$recipient_domain] [$server_name] [$rbl_code] [${sender?yes}] [${sender:no}]',
         session('FOO', EHLO, 'FOO', MAIL, 'FOO', RCPT, RELAY, 'FOO', 'DATA', b'.\r\n', 1, QUIT)),
    case('footer', 'smtpd_recipient_restrictions = reject_unauth_destination, reject\nsmtpd_reject_footer = $client_address $client_name $sender $recipient $mail_name; ask at\\n$server_name\\nor not at all $$x $nonsense', session(EHLO, 'FOO', MAIL, RELAY, RCPT, 'DATA', QUIT)),
    case('footer-map', 'smtpd_reject_footer = plain\nsmtpd_reject_footer_maps = regexp:{{/Relay access/ from the map $client_address} {/no valid/ \\c - continued}}', session(EHLO, MAIL, RELAY, 'DATA', 'FOO', QUIT)),
    case('footer-continued', 'smtpd_reject_footer = \\c; see http://help.test/\\nsecond line', session(EHLO, MAIL, RELAY, 'RCPT TO:<nobody@golden.test>', 'DATA', QUIT)),
]
