"""What access tables may say, and how they are asked."""
from words import *

ACTIONS = ['REJECT', 'reject', 'Reject  spaced   text ', 'REJECT 5.7.7 own code', 'REJECT 5.7', 'REJECT 4.7.7 soft code', 'REJECT 550 inner', 'REJECT text with $client_address', 'REJECT,OK', 'DEFER', 'DEFER text', 'DEFER 4.7.7 x', 'defer 5.7.7 x', 'DEFER_IF_PERMIT', 'DEFER_IF_PERMIT 4.7.7 later',
           'DEFER_IF_REJECT', 'OK', 'ok', 'OK text', 'PERMIT', 'permit', 'DUNNO', 'dunno text', 'RELAY', 'ERROR', 'WARN', 'WARN look at this', 'INFO', 'info noted', 'HOLD', 'HOLD for review', 'DISCARD', 'DISCARD as agreed', 'FILTER', 'FILTER smtp:[127.0.0.25]', 'FILTER smtp', 'FILTER nosuch:host', 'PREPEND', 'PREPEND X-Test: yes',
           'PREPEND no header', 'PREPEND X-Long: ' + 'y' * 200, 'REDIRECT', 'REDIRECT bob@golden.test', 'REDIRECT bob', 'REDIRECT <bob@golden.test>', 'BCC alice@golden.test', 'BCC', 'BCC nonsense', '550', '550 text', '550 5.7.9 text', '550 4.7.9 text', '450', '450 text', '450 4.7.9 text', '450 5.7.9 text', '421', '421 go', '521',
           '521 go', '521 5.3.2 go', '250', '250 fine', '200', '300 odd', '350', '354', '599 high', '600 higher', '999', '55', '5500', '550text', '550  spaced  out ', '550-dash', '12345', '1', '0', '127.0.0.1', 'foo', 'reject_unauth_destination', 'permit_mynetworks, reject', 'REJECT_UNKNOWN_CLIENT_HOSTNAME',
           'check_client_access static:REJECT', 'myclass', 'MYCLASS', 'warn_if_reject reject', '', '   ', '-', '#', 'DELAY', 'DELAY 1h', 'STRIP', 'IGNORE', 'reject text; with "quotes" <and> (more)', 'REJECT \u00fcml\u00e4ut', 'X' * 300]
TABLE = ''.join(f'a{i}@remote.test\t{action}\n' for i, action in enumerate(ACTIONS) if action.strip())
CLASS = 'smtpd_restriction_classes = myclass\nmyclass = reject_rbl_client rbl.test, permit\n'
KEYS = 'user@remote.test=OK', 'remote.test=REJECT domain'
SEEK = 'smtpd_relay_restrictions = reject_unauth_destination\nrecipient_delimiter = +\n'


def seek(table, *sessions, kind='sender', name='', more=''):
    return case(name, SEEK + more + f'smtpd_recipient_restrictions = check_{kind}_access texthash:{{private}}/files/{name}, reject_unauth_destination', *sessions, files={name: table})


CASES = [
    case('actions', CLASS + 'smtpd_relay_restrictions = reject_unauth_destination\nsmtpd_recipient_restrictions = check_sender_access texthash:{private}/files/actions, reject_unauth_destination',
         *[session(EHLO, f'MAIL FROM:<a{i}@remote.test>', RCPT, RELAY, *content(b'Subject: x\r\n\r\n.\r\n'), 'NOOP', QUIT, title=action) for i, action in enumerate(ACTIONS) if action.strip()], files={'actions': TABLE}),
    case('actions-early', CLASS + 'smtpd_delay_reject = no\nsmtpd_helo_restrictions = check_helo_access texthash:{private}/files/actions-early',
         *[session(f'EHLO a{i}.test', 'NOOP', QUIT, title=action) for i, action in enumerate(ACTIONS) if action.strip()], files={'actions-early': TABLE.replace('@remote.test\t', '.test\t')}),
    case('actions-at-data', CLASS + 'smtpd_data_restrictions = check_sender_access texthash:{private}/files/actions-data',
         *[session(EHLO, f'MAIL FROM:<a{i}@remote.test>', RCPT, 'RCPT TO:<user2@golden.test>', *content(b'Subject: x\r\n\r\n.\r\n'), QUIT, title=action) for i, action in enumerate(ACTIONS[:60]) if action.strip()], files={'actions-data': TABLE}),
    case('actions-at-end', CLASS + 'smtpd_end_of_data_restrictions = check_sender_access texthash:{private}/files/actions-end',
         *[session(EHLO, f'MAIL FROM:<a{i}@remote.test>', RCPT, *content(b'Subject: x\r\n\r\n.\r\n'), QUIT, title=action) for i, action in enumerate(ACTIONS[:60]) if action.strip()], files={'actions-end': TABLE}),
    case('actions-in-etrn', 'smtpd_etrn_restrictions = check_etrn_access inline:{{one.test=REJECT} {two.test=450 wait} {three.test=OK} {four.test=421 x}}', session(EHLO, 'ETRN one.test', 'ETRN two.test', 'ETRN three.test', 'ETRN sub.one.test', 'ETRN four.test', QUIT)),
    case('actions-at-connect', 'smtpd_delay_reject = no\nsmtpd_client_restrictions = check_client_access inline:{{127.0.0.2=REJECT no} {127.0.0.3=450 later} {127.0.0.4=421 bye} {127.0.0.5=521 gone} {127.0.0.6=HOLD x} {127.0.0.7=PREPEND X-C: y} {127.0.0.8=DISCARD}}',
         *[session('NOOP', EHLO, 'HELP', 'VRFY user1', MAIL, RCPT, 'RSET', QUIT, source=f'127.0.0.{i}') for i in range(2, 9)]),
    seek('a@remote.test REJECT exact\nremote.test REJECT domain\n.remote.test REJECT sub\nb@ REJECT user\na+x@remote.test OK\n<> REJECT null\nc@[127.0.0.9] REJECT literal\n[127.0.0.9] REJECT literal domain\nd\\ e@other.test REJECT blank\ntest REJECT top\ng REJECT bare\ng@mail.golden.test REJECT completed\n'
         'six@[IPv6:fd00::1] REJECT six\n"q q"@other.test REJECT quoted\n"qq"@other.test REJECT needless\nqq@other.test REJECT plain\n',
         *[tried(sender=s) for s in ('a@remote.test', 'A@Remote.TEST', 'a+x@remote.test', 'a+y@remote.test', 'z@remote.test', 'z@sub.remote.test', 'b@x.example', 'b+e@x.example', '', 'c@[127.0.0.9]', 'z@[127.0.0.9]', '"d e"@other.test', 'z@deep.test', 'g', 'g@mail.golden.test', 'six@[IPv6:fd00::1]',
                                     '"q q"@other.test', '"qq"@other.test', 'a%remote.test', 'a@remote.test.', '@hop.test:a@remote.test', 'b!a')], name='sender-keys'),
    seek('user1@golden.test REJECT exact\ngolden.test REJECT domain\nuser2@ REJECT user\nuser1+x@golden.test OK\npostmaster REJECT bare\npostmaster@ REJECT bare user\n[127.0.0.1] REJECT literal\n', session(EHLO, MAIL, *[f'RCPT TO:<{r}>' for r in (
        'user1@golden.test', 'user1+x@golden.test', 'user1+y@golden.test', 'alice@golden.test', 'user2@localhost', 'user2', 'user1@[127.0.0.1]', 'postmaster', 'POSTMASTER', '"user1"@golden.test', 'user1@Golden.Test.', 'user1%golden.test', 'alice@mail.golden.test')], QUIT), kind='recipient', name='recipient-keys'),
    seek('golden.test REJECT domain\n', session(EHLO, MAIL, 'RCPT TO:<alice@mail.golden.test>', 'RCPT TO:<alice@golden.test>', QUIT), kind='recipient', name='parents-not', more='parent_domain_matches_subdomains =\n'),
    seek('.golden.test REJECT domain\n', session(EHLO, MAIL, 'RCPT TO:<alice@mail.golden.test>', 'RCPT TO:<alice@golden.test>', QUIT), kind='recipient', name='parents-dotted', more='parent_domain_matches_subdomains =\n'),
    seek('.golden.test REJECT domain\n', session(EHLO, MAIL, 'RCPT TO:<alice@mail.golden.test>', 'RCPT TO:<alice@golden.test>', QUIT), kind='recipient', name='parents-default'),
    seek('127.0.0 REJECT net\n127.0.0.3 OK\nclient2.remote.test REJECT name\n.remote.test REJECT sub\n', *[tried(source=f'127.0.0.{i}') for i in (2, 3, 4)], kind='client', name='client-keys'),
    seek('127 REJECT big net\nunknown REJECT unknown name\n', *[tried(source=f'127.0.0.{i}') for i in (2, 3, 4)], kind='client', name='client-nets'),
    seek('127.0 OK dotted\n127.0. REJECT trailing dot\nremote.test REJECT parent\n', *[tried(source=f'127.0.0.{i}') for i in (2, 3)], kind='client', name='client-parents'),
    seek('spammer.test REJECT spammer\n[127.0.0.2] REJECT literal\n127.0.0 REJECT net\nlocalhost REJECT liar\ntest REJECT top\n', *[tried(helo=h) for h in ('spammer.test', 'SPAMMER.Test', 'x.spammer.test', '[127.0.0.2]', '127.0.0.2', 'localhost', 'other.test', '[127.0.0.3]')],
         session('MAIL FROM:<a@b.test>', RCPT, QUIT), kind='helo', name='helo-keys'),
    seek('liar.remote.test REJECT reverse\nremote.test REJECT parent\nunknown REJECT unknown\n', *[tried(source=f'127.0.0.{i}') for i in (2, 3, 4, 5)], kind='reverse_client_hostname', name='reverse-keys'),
    case('six-keys', 'smtpd_recipient_restrictions = check_client_access texthash:{private}/files/six', *[tried(source=s, to='::1') for s in ('fd00::2', 'fd00::3')], files={'six': 'fd00::2 REJECT exact\nfd00 REJECT net\n'}, six=True),
    case('six-nets', 'smtpd_recipient_restrictions = check_client_access texthash:{private}/files/sixnets', *[tried(source=s, to='::1') for s in ('fd00::2', 'fd00::3')], files={'sixnets': 'fd00: REJECT colon\nfd00 REJECT net\n'}, six=True),
    case('six-cidr', 'smtpd_recipient_restrictions = check_client_access cidr:{{fd00::2/128 REJECT two} {fd00::/16 450 net}}', *[tried(source=s, to='::1') for s in ('fd00::2', 'fd00::3')], six=True),
    case('null-key', 'smtpd_null_access_lookup_key = nobody\nsmtpd_recipient_restrictions = check_sender_access inline:{{nobody=REJECT null} {<>=REJECT brackets}}', tried(sender=''), tried(sender='nobody')),
    case('null-domain', 'smtpd_recipient_restrictions = check_sender_access inline:{{@=REJECT at} {<>@=REJECT brackets at}}', tried(sender='')),
    case('patterns', 'smtpd_recipient_restrictions = check_sender_access regexp:{{/^(.*)@remote\\.test$$/ REJECT $$1 is known} {/^$$/ REJECT empty} {/(.*)@/ PREPEND X-S: $$1}}, check_client_access cidr:{{127.0.0.3 REJECT three} {127.0.0.0/8 WARN eight}}, check_helo_access regexp:{{/^\\[/ REJECT literal}}',
         tried(), tried(sender=''), tried(sender='a@b.test', source='127.0.0.3'), tried(sender='a@b.test', helo='[127.0.0.1]'), session(*message(sender='a@b.test'))),
    case('prepends', 'smtpd_recipient_restrictions = check_client_access static:{PREPEND X-One: 1}, check_sender_access static:{PREPEND X-Two: 2}, check_recipient_access inline:{{user1@golden.test=PREPEND X-Three: 3} {user2@golden.test=PREPEND X-Four: 4}}\nsmtpd_data_restrictions = check_sender_access static:{PREPEND X-Data: d}\n'
         'smtpd_end_of_data_restrictions = check_sender_access static:{PREPEND X-End: e}', session(*message('user1@golden.test', 'user2@golden.test')), session(*message('user1@golden.test'))),
    case('several-actions', 'smtpd_recipient_restrictions = check_client_access static:{HOLD one}, check_sender_access static:{FILTER smtp:[127.0.0.25]:2}, check_helo_access static:{REDIRECT bob@golden.test}, check_recipient_access static:{BCC alice@golden.test}', session(*message())),
    case('held', 'smtpd_recipient_restrictions = check_client_access static:{HOLD}', session(*message()), session(*message('user1@golden.test', 'user2@golden.test'))),
    case('thrown-away', 'smtpd_recipient_restrictions = check_recipient_access inline:{{user2@golden.test=DISCARD two}}', session(*message('user1@golden.test', 'user2@golden.test')), session(*message('user2@golden.test')), session(EHLO, MAIL, 'RCPT TO:<user2@golden.test>', 'RCPT TO:<nobody@golden.test>', 'RSET', MAIL, RCPT, QUIT)),
    case('thrown-away-later', 'smtpd_recipient_restrictions = check_recipient_access inline:{{user2@golden.test=DISCARD two}}\nsmtpd_data_restrictions = reject\nsmtpd_end_of_data_restrictions = reject', session(*message('user2@golden.test', 'x@other.test', 'nobody@golden.test')), session(*message('user1@golden.test', 'user2@golden.test'))),
    case('redirected', 'smtpd_recipient_restrictions = check_recipient_access inline:{{user1@golden.test=REDIRECT bob@golden.test}}', session(*message('user1@golden.test', 'user2@golden.test'))),
    case('broken-tables', 'smtpd_recipient_restrictions = check_client_access inline:{127.0.0.9=OK}, check_recipient_access fail:some, reject_unauth_destination', tried('user1@golden.test', 'x@other.test')),
    case('absent-table', 'smtpd_recipient_restrictions = check_recipient_access texthash:/nonexistent/file, reject_unauth_destination', tried('user1@golden.test', 'x@other.test')),
]
