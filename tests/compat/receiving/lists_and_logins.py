"""DNS lists, policy services, logins, TLS, proxies and the limits of clients."""
import base64

from policy_server import PolicyServer
from words import *


def b64(text):
    return base64.b64encode(text.encode()).decode()


def answering(name, *answers):
    """a policy service at a socket of its own in {private}/files"""
    return lambda folder: PolicyServer(answers, f'{folder}/files/{name}')


ANSWERS = ['action=DUNNO\n\n', 'action=REJECT\n\n', 'action=REJECT not today\n\n', 'action=reject 5.7.9 code\n\n', 'action=550 5.7.8 own\n\n', 'action=450 4.7.8 soft\n\n', 'action=DEFER_IF_PERMIT come back\n\n', 'action=DEFER_IF_REJECT later\n\n', 'action=OK\n\n',
           'action=PREPEND X-Policy: yes\n\n', 'action=HOLD\n\n', 'action=DISCARD\n\n', 'action=WARN hm\n\n', 'action=421 bye\n\n', 'action=\n\n', 'action=nonsense\n\n', 'action=reject_unauth_destination\n\n', 'ACTION=REJECT\n\n', 'action = REJECT spaced\n\n', 'foo=bar\n\n', '\n', 'foo=bar\naction=REJECT\n\n',
           'action=DUNNO\naction=REJECT\n\n', 'action=DUNNO\nfoo=bar\n\n', 'garbage\n\n', 'action=' + 'x' * 1000 + '\n\n', 'action=REJECT  two  blanks \n\n', 'action=REJECT \xfc\n\n', 'action=FILTER smtp:[127.0.0.25]\n\n', 'action=BCC alice@golden.test\n\n', 'action=REDIRECT bob@golden.test\n\n', 'action=INFO x\n\n',
           'action=DEFER\n\n', 'action=permit_mynetworks, reject\n\n', 'action=check_client_access static:REJECT\n\n']
RBL = 'smtpd_relay_restrictions = reject_unauth_destination\nsmtpd_recipient_restrictions = '
MACROS = ('$rbl_code [$client] [$client_address] [$client_name] [$helo_name] [$rbl_class] [$rbl_code] [$rbl_domain] [$rbl_reason] [$rbl_txt] [$rbl_what] [$recipient] [$recipient_domain] [$recipient_name] [$sender] [$sender_domain] [$sender_name] '
          '[${rbl_reason?; $rbl_reason}] [${rbl_reason:none}] [${sender?{yes}:{no}}] [$nonsense] [$$] [$(client_address)]').replace('$', '$$')
LOGIN = 'smtpd_sasl_auth_enable = yes\nsmtpd_sasl_local_domain = golden.test\n'
PLAIN, WRONG = b64('\0test\0testpass'), b64('\0test\0wrong')
OWNERS = 'smtpd_sender_login_maps = inline:{{test@remote.test=test@golden.test} {both@remote.test=test@golden.test, other@golden.test} {other@remote.test=other@golden.test} {nobody@remote.test=nobody}}\n'
SENDERS = ['test@remote.test', 'both@remote.test', 'other@remote.test', 'nobody@remote.test', 'free@remote.test', '', 'Test@Remote.test', 'test+x@remote.test']


def owned(rule):
    steps = [step for s in SENDERS for step in (f'MAIL FROM:<{s}>', RCPT, 'RSET')]
    return case('owners-' + rule.replace('_', '-'), LOGIN + OWNERS + f'recipient_delimiter = +\nsmtpd_sender_restrictions = {rule}', session(EHLO, *steps, QUIT), session(EHLO, 'AUTH PLAIN ' + PLAIN, *steps, QUIT))


def forwarded(*lines):
    return session(EHLO, *lines, EHLO, MAIL, RCPT, *content(), QUIT, source='127.0.0.1')


CASES = [case(f'policy-{i}', RBL + f'check_policy_service unix:{{private}}/files/policy{i}', session(EHLO, MAIL, RCPT, 'DATA', b'Subject: x\r\n\r\n.\r\n', 1, QUIT, title=answer.replace('\n', '|')[:60]), servers=[answering(f'policy{i}', answer)])
         for i, answer in enumerate(ANSWERS)] + [
    case('policy-hangs-up', RBL + 'check_policy_service unix:{private}/files/policyx\nsmtpd_policy_service_retry_delay = 1\nsmtpd_policy_service_try_limit = 2', tried(), servers=[answering('policyx', None)]),
    case('policy-absent', RBL + 'check_policy_service unix:{private}/files/policynone\nsmtpd_policy_service_try_limit = 1\nsmtpd_policy_service_retry_delay = 1', tried()),
    case('rbl-macros', RBL + 'reject_rbl_client rbl.test\ndefault_rbl_reply = ' + MACROS, tried(), tried(sender='')),
    case('rbl-macros-helo', RBL + 'reject_rhsbl_helo rhsbl.test\ndefault_rbl_reply = ' + MACROS, tried(helo='spammer.test')),
    case('rbl-macros-sender', RBL + 'reject_rhsbl_sender rhsbl.test\ndefault_rbl_reply = ' + MACROS, tried(sender='a@spammer.test')),
    case('rbl-macros-recipient', 'mydestination = spammer.test\nsmtpd_relay_restrictions = reject_unauth_destination\nsmtpd_recipient_restrictions = reject_rhsbl_recipient rhsbl.test\nlocal_recipient_maps =\ndefault_rbl_reply = ' + MACROS, tried('a@spammer.test')),
    case('rbl-macros-client', RBL + 'reject_rhsbl_client rhsbl.test, reject_rhsbl_reverse_client rhsbl.test\ndefault_rbl_reply = ' + MACROS, tried()),
    case('rbl-default-texts', RBL + 'warn_if_reject reject_rbl_client rbl.test, warn_if_reject reject_rbl_client many.test, warn_if_reject reject_rbl_client notxt.test, warn_if_reject reject_rbl_client odd.test, warn_if_reject reject_rhsbl_client rhsbl.test, '
         'warn_if_reject reject_rhsbl_reverse_client rhsbl.test, warn_if_reject reject_rhsbl_helo rhsbl.test, warn_if_reject reject_rhsbl_sender rhsbl.test, warn_if_reject reject_rhsbl_recipient rhsbl.test', tried(helo='spammer.test', sender='a@spammer.test')),
    case('rbl-filters', RBL + 'warn_if_reject reject_rbl_client many.test=127.0.0.4, warn_if_reject reject_rbl_client many.test=127.0.0.[5..9], warn_if_reject reject_rbl_client many.test=127.0.0.[1..4;10], warn_if_reject reject_rbl_client many.test=127.0.[0..1].10, '
         'warn_if_reject reject_rbl_client notxt.test=127.0.0.10, warn_if_reject reject_rbl_client rbl.test=127.0.0.[2..2]', tried()),
    case('rbl-filter-bad', RBL + 'reject_rbl_client rbl.test=127.0.0.', tried()), case('rbl-filter-bad-too', RBL + 'reject_rbl_client rbl.test=127.0.0.[5..1]', tried()), case('rbl-filter-host', RBL + 'reject_rbl_client rbl.test=127.0.0.256', tried()),
    case('rbl-own-texts', RBL + 'reject_rbl_client rbl.test=127.0.0.2, reject_rbl_client notxt.test\nrbl_reply_maps = inline:{{rbl.test=$$rbl_code 5.7.9 short $$rbl_what} {rbl.test=127.0.0.2=unused}}', tried()),
    case('rbl-odd-text', RBL + 'reject_rbl_client odd.test', tried()), case('rbl-no-code', RBL + 'reject_rbl_client rbl.test\ndefault_rbl_reply = no code here', tried()), case('rbl-soft', RBL + 'reject_rbl_client rbl.test\nmaps_rbl_reject_code = 450', tried()),
    case('rbl-drop', RBL + 'reject_rbl_client rbl.test\nmaps_rbl_reject_code = 521', tried()), case('rbl-broken', RBL + 'reject_rbl_client broken.test, reject_rhsbl_sender broken.test', tried()), case('rbl-old', RBL + 'reject_maps_rbl\nmaps_rbl_domains = notxt.test rbl.test', tried()),
    case('rbl-white', RBL + 'permit_dnswl_client white.test, permit_rhswl_client rhswl.test, reject', tried(source='127.0.0.3'), tried(source='127.0.0.2'), tried(source='127.0.0.4')),
    case('rbl-six', RBL + 'reject_rbl_client rbl.test, reject_rhsbl_client rhsbl.test', tried(source='fd00::2', to='::1'), six=True),
    case('login-order', LOGIN, session('AUTH', 'AUTH PLAIN', '*', 'AUTH PLAIN ' + PLAIN, 'AUTH PLAIN ' + PLAIN, MAIL, 'AUTH PLAIN ' + PLAIN, 'RSET', QUIT), session(EHLO, MAIL, 'AUTH PLAIN ' + PLAIN, RCPT, 'AUTH LOGIN', QUIT)),
    case('login-answers', LOGIN, session(EHLO, 'AUTH PLAIN', PLAIN, QUIT), session(EHLO, 'AUTH PLAIN', '', 'AUTH PLAIN =', 'AUTH PLAIN !!!', 'AUTH PLAIN ' + WRONG, 'AUTH PLAIN ' + b64('test'), 'AUTH PLAIN ' + b64('\0\0'), 'AUTH PLAIN ' + b64('\0nobody\0x'), QUIT),
         session(EHLO, 'AUTH LOGIN', b64('test'), b64('testpass'), QUIT), session(EHLO, 'AUTH LOGIN ' + b64('test'), b64('testpass'), QUIT), session(EHLO, 'AUTH LOGIN', '', '', QUIT), session(EHLO, 'AUTH LOGIN', b64('test'), '*', 'AUTH LOGIN', '*', 'AUTH LOGIN', b64('test'), b64('wrong'), QUIT),
         session(EHLO, 'auth plain ' + PLAIN, QUIT), session(EHLO, 'AUTH PLAIN ' + PLAIN + ' x', 'AUTH PLAIN x y', 'AUTH FOO', 'AUTH foo ' + PLAIN, 'AUTH CRAM-MD5 x', 'AUTH CRAM-MD5', '*', 'AUTH CRAM-MD5', b64('test x'), 'AUTH CRAM-MD5', 'nonsense', QUIT)),
    case('login-long', LOGIN, session(EHLO, 'AUTH PLAIN', b'x' * 13000 + b'\r\n', 1, QUIT), session(EHLO, b'AUTH PLAIN ' + b'QUFB' * 600 + b'\r\n', 1, QUIT)),
    case('login-lost', LOGIN, session(EHLO, 'AUTH PLAIN', CLOSE), session(EHLO, 'AUTH LOGIN', b64('test'), b'abc', CLOSE)),
    case('login-message', LOGIN + 'smtpd_relay_restrictions = permit_sasl_authenticated, reject', session(EHLO, 'AUTH PLAIN ' + PLAIN, MAIL, RCPT, *content(), MAIL + ' AUTH=<>', RCPT, *content(), MAIL + ' AUTH=x+2By@b.test', RCPT, *content(), QUIT), session('HELO x', 'AUTH PLAIN ' + PLAIN, MAIL, RCPT, *content(), QUIT)),
    case('login-in-log', LOGIN + 'smtpd_tls_security_level = may\nsmtpd_recipient_restrictions = permit_sasl_authenticated, reject', session(EHLO, 'STARTTLS', TLS, EHLO, 'AUTH PLAIN ' + PLAIN, MAIL, 'RCPT TO:<postmaster>', *content(b'Subject: one\r\n\r\nx\r\n.\r\n'), QUIT),
         cleanup='header_checks = regexp:{{/^Subject:/ HOLD see}}'),
    case('login-shown', LOGIN + 'smtpd_sasl_authenticated_header = yes', session(EHLO, 'AUTH PLAIN ' + PLAIN, MAIL, RCPT, *content(), QUIT)),
    case('login-sender', LOGIN, session(EHLO, *[step for p in ('AUTH=', 'AUTH=<>', 'AUTH=a@b.test', 'AUTH=+2B', 'AUTH=+2', 'AUTH=a b', 'AUTH=<a@b.test>') for step in (f'{MAIL} {p}', 'RSET')], QUIT)),
    case('login-not-offered', LOGIN + 'smtpd_sasl_exceptions_networks = 127.0.0.2, [fd00::]/16', session(EHLO, 'AUTH PLAIN ' + PLAIN, QUIT), session(EHLO, QUIT, source='127.0.0.3')),
    case('login-wants-tls', LOGIN + 'smtpd_tls_security_level = may\nsmtpd_tls_auth_only = yes', session(EHLO, 'AUTH PLAIN ' + PLAIN, MAIL + ' AUTH=<>', 'STARTTLS', TLS, 'EHLO x', 'AUTH PLAIN ' + PLAIN, MAIL, RCPT, *content(), QUIT)),
    case('login-old-clients', LOGIN + 'broken_sasl_auth_clients = yes\nsmtpd_sasl_mechanism_filter = !login, static:x', session(EHLO, 'AUTH LOGIN', QUIT)),
    case('login-tables', LOGIN + 'smtpd_recipient_restrictions = check_sasl_access inline:{{test@golden.test=REJECT you}}, permit_sasl_authenticated, reject', session(EHLO, MAIL, RCPT, QUIT), session(EHLO, 'AUTH PLAIN ' + PLAIN, MAIL, RCPT, QUIT), session(EHLO, 'AUTH PLAIN ' + b64('\0other\0otherpass'), MAIL, RCPT, QUIT)),
    *[owned(rule) for rule in ('reject_sender_login_mismatch', 'reject_authenticated_sender_login_mismatch', 'reject_unauthenticated_sender_login_mismatch', 'reject_known_sender_login_mismatch')],
    case('tls', 'smtpd_tls_security_level = may\nsmtpd_tls_received_header = yes\nsmtpd_tls_loglevel = 1', session(EHLO, 'STARTTLS', TLS, 'EHLO y', 'STARTTLS', MAIL, RCPT, *content(), QUIT), session('STARTTLS x', EHLO, MAIL, RCPT, 'STARTTLS', TLS, RCPT, QUIT), session('STARTTLS', TLS, MAIL, RCPT, *content(), QUIT)),
    case('tls-demanded', 'smtpd_tls_security_level = encrypt', session('NOOP', 'RSET', 'VRFY user1', 'ETRN x', 'HELP', 'HELO x', MAIL, RCPT, 'DATA', 'BDAT 0 LAST', 'AUTH PLAIN', 'XCLIENT x', 'STARTTLS', TLS, 'EHLO y', MAIL, RCPT, *content(), QUIT)),
    case('tls-and-lists', 'smtpd_tls_security_level = may\nsmtpd_recipient_restrictions = reject_plaintext_session', session(EHLO, MAIL, RCPT, 'RSET', 'STARTTLS', TLS, EHLO, MAIL, RCPT, QUIT)),
    case('proxied', 'smtpd_authorized_xclient_hosts = 127.0.0.1\nsmtpd_authorized_xforward_hosts = 127.0.0.1', forwarded('XCLIENT NAME=spike.test ADDR=1.2.3.4'), forwarded('XCLIENT NAME=[UNAVAILABLE] ADDR=[TEMPUNAVAIL]'), forwarded('XCLIENT NAME=[TEMPUNAVAIL] REVERSE_NAME=rev.test'),
         forwarded('XCLIENT ADDR=IPv6:fd00::9 HELO=him.test PROTO=ESMTP LOGIN=someone PORT=99 DESTADDR=127.0.0.9 DESTPORT=77'), forwarded('XFORWARD NAME=spike.test ADDR=1.2.3.4 PROTO=ESMTP HELO=him.test IDENT=ABC PORT=5 SOURCE=REMOTE'), forwarded('XFORWARD NAME=[UNAVAILABLE] SOURCE=LOCAL'),
         session('XCLIENT', 'XCLIENT FOO=x', 'XCLIENT NAME', 'XCLIENT ADDR=x', 'XCLIENT ADDR=1.2.3', 'XCLIENT PROTO=FOO', 'XCLIENT PORT=x', 'XCLIENT HELO=a+20b', 'XCLIENT LOGIN=', 'XFORWARD', 'XFORWARD FOO=x', 'XFORWARD ADDR=x', 'XFORWARD SOURCE=X', 'XFORWARD PORT=x', 'XFORWARD HELO=' + 'x' * 300, MAIL, 'XCLIENT NAME=x',
                 'XFORWARD NAME=x', QUIT, source='127.0.0.1')),
    case('connection-limit', 'smtpd_client_connection_rate_limit = 2\nanvil_rate_time_unit = 60s', *[session(EHLO, QUIT) for _ in range(4)], session(QUIT, source='127.0.0.1')),
    case('message-limit', 'smtpd_client_message_rate_limit = 2', session(EHLO, *[step for _ in range(4) for step in (MAIL, 'RSET')], QUIT)), case('recipient-rate', 'smtpd_client_recipient_rate_limit = 2', session(EHLO, MAIL, RCPT, RCPT, RCPT, RCPT, QUIT)),
    case('login-limit', LOGIN + 'smtpd_client_auth_rate_limit = 2', session(EHLO, *['AUTH PLAIN ' + WRONG] * 4, QUIT)), case('tls-limit', 'smtpd_tls_security_level = may\nsmtpd_client_new_tls_session_rate_limit = 1', *[session(EHLO, 'STARTTLS', TLS, EHLO, QUIT)] * 2, session(EHLO, 'STARTTLS', QUIT)),
    case('recipient-limit', 'smtpd_recipient_limit = 2\nsmtpd_recipient_overshoot_limit = 2', session(EHLO, MAIL, *[f'RCPT TO:<{u}@golden.test>' for u in ('user1', 'user2', 'alice', 'bob', 'root', 'abuse', 'user1')], *content(), QUIT)),
    case('error-limits', 'smtpd_soft_error_limit = 2\nsmtpd_hard_error_limit = 5\nsmtpd_error_sleep_time = 1s', session('FOO', 'FOO', 'NOOP', 'FOO', 'FOO', 'NOOP', 'FOO', END)),
    case('junk-limit', 'smtpd_junk_command_limit = 2\nsmtpd_hard_error_limit = 4', session(EHLO, *['NOOP'] * 9, END), session(EHLO, *['RSET', 'VRFY user1', 'ETRN remote.test'] * 3, END), session(EHLO, 'NOOP', 'RSET', MAIL, RCPT, *content(), *['NOOP'] * 9)),
    case('small-limit', 'smtpd_hard_error_limit = 1', session('FOO', 'NOOP', QUIT), session('QUIT')),
    case('no-limit', 'smtpd_hard_error_limit = 3\nsmtpd_soft_error_limit = 1\nsmtpd_error_sleep_time = 0', session(MAIL, 'RCPT TO:<nobody@golden.test>', 'RCPT TO:<nobody2@golden.test>', 'RCPT TO:<nobody3@golden.test>', 'QUIT')),
    case('timeouts', 'smtpd_timeout = 1s', session(UNTIL_HEARD, 1), session(EHLO, MAIL, RCPT, 'DATA', b'Subject: x\r\n', UNTIL_HEARD, 1)),
    case('stressed', 'stress = yes\nsmtpd_hard_error_limit = ${stress?{1}:{20}}\nsmtpd_timeout = ${stress?{10}:{300}}s\nsmtpd_banner = $myhostname ESMTP ${stress?{busy}:{calm}}', session('FOO', 'FOO', END)),
    case('not-stressed', 'stress =\nsmtpd_hard_error_limit = ${stress?{1}:{20}}\nsmtpd_banner = $myhostname ESMTP ${stress?{busy}:{calm}}', session('FOO', 'FOO', QUIT)),
    case('told-protocol', 'notify_classes = protocol\nlocal_recipient_maps =', session(EHLO, 'FOO', 'MAIL FROM:<a', MAIL, 'RCPT TO:<a@b..c>', QUIT), session('GET x'), session(EHLO, CLOSE), session('MAIL', CLOSE), session(EHLO, QUIT)),
    case('told-policy', 'notify_classes = policy', session(EHLO, MAIL, RELAY, 'RCPT TO:<nobody@golden.test>', QUIT), session(EHLO, MAIL, RCPT, *content(), QUIT)),
    case('told-resource', 'notify_classes = resource, software, data\nsmtpd_recipient_restrictions = check_recipient_access fail:x', session(EHLO, MAIL, RCPT, QUIT)),
    case('told-software', 'notify_classes = software\nsmtpd_recipient_restrictions = nonsense', session(EHLO, MAIL, RCPT, 'RCPT TO:<user2@golden.test>', QUIT)),
    case('told-bounce', 'notify_classes = bounce\nmessage_size_limit = 2000', session(EHLO, MAIL, RCPT, *content(b'Subject: x\r\n\r\n' + b'y' * 70 * 40 + b'\r\n.\r\n'), QUIT), cleanup='message_size_limit = 2000'),
    case('dialogue', '', session(EHLO, MAIL, RCPT, 'FOO', QUIT), verbose=False),
    case('permits-told', 'smtpd_log_access_permit_actions = static:all\nsmtpd_recipient_restrictions = check_client_access inline:{{127.0.0.2=DUNNO} {127.0.0.3=OK}}, check_sender_access inline:{{sender@remote.test=PERMIT} {a@b.test=RELAY}}, permit_auth_destination, permit', tried(), tried(source='127.0.0.3'), tried(sender='x@y.test')),
    case('ports-told', 'smtpd_client_port_logging = yes\nsmtpd_recipient_restrictions = check_recipient_access inline:{{user2@golden.test=REJECT}}', session(EHLO, MAIL, RCPT, 'RCPT TO:<user2@golden.test>', *content(), QUIT)),
]
