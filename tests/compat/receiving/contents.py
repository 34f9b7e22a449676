"""What is made of a message as it comes in: checks of its lines, headers that are added or changed, limits."""
from words import *

CHECKED = 'From: <sender@remote.test>\nTo: <user1@golden.test>\nSubject: {}\nX-Test: yes\n\nline one\n{}\nline three\n'
ACTIONS = ['REJECT', 'REJECT no thanks', 'REJECT 5.7.9 coded', 'reject 4.7.9 soft', 'DISCARD', 'DISCARD as agreed', 'HOLD', 'HOLD look', 'WARN', 'WARN hm', 'INFO', 'INFO noted', 'IGNORE', 'STRIP', 'STRIP why', 'DUNNO', 'OK', 'PREPEND X-Pre: one', 'PREPEND', 'PREPEND not a header', 'REPLACE Subject: other',
           'REPLACE', 'REPLACE other', 'REDIRECT bob@golden.test', 'REDIRECT bob', 'REDIRECT', 'BCC alice@golden.test', 'BCC x', 'FILTER smtp:[127.0.0.25]', 'FILTER x', 'FILTER', 'DELAY 1', 'nonsense', 'PASS', '550 5.7.1 code', 'DEFER', 'DEFER 4.7.1 x', 'REJECT ' + 'long ' * 60, 'PREPEND X-UTF: \u00fc', 'REJECT \u00fc']
HEADERS = ''.join(f'/^Subject: mark{i}$/ {action}\n' for i, action in enumerate(ACTIONS))
BODIES = ''.join(f'/^mark{i}$/ {action}\n' for i, action in enumerate(ACTIONS))


def marked(where):
    return [session(*message(text=CHECKED.format(f'mark{i}' if where == 'header' else 'x', f'mark{i}' if where == 'body' else 'line two')), title=action[:60]) for i, action in enumerate(ACTIONS)]


def one(name, text, cleanup='', settings='', source='127.0.0.2', sender='sender@remote.test', recipients=('user1@golden.test',)):
    body = text if isinstance(text, bytes) else text.replace('\n', '\r\n').encode() + b'.\r\n'
    return case(name, settings, session(*message(*recipients, sender=sender, text=body), source=source), cleanup=cleanup)


LOCAL = dict(source='127.0.0.1')
MANY = ''.join(f'Received: from h{i}.test by h{i + 1}.test; Mon, 1 Jan 2024 00:00:00 +0000\n' for i in range(60)) + 'Subject: loop\n\nx\n'
ODD = ['Subject: a\n\tfolded\n  twice\n\nx\n', 'Subject : blank before colon\n\nx\n', 'Subject\n\nx\n', ' : x\n\nx\n', 'From sender@remote.test Mon Jan 1\nSubject: x\n\nx\n', '>From x\nSubject: y\n\nz\n', ': empty\nSubject: y\n\nz\n', 'Subject: x\nno colon here\nTo: y\n\nz\n', 'Subject: x\n \n\t\nTo: y\n\nz\n', 'To:\nCc: \nSubject:\n\nx\n',
       'X-' + 'y' * 200 + ': z\n\nx\n', 'Subject: ' + 'w' * 1500 + '\n\nx\n', 'Bcc: <secret@remote.test>\nTo: a\n\nx\n', 'Return-Path: <x@y.test>\nContent-Length: 5\nTo: a\n\nx\n', 'Delivered-To: user1@golden.test\nTo: a\n\nx\n', 'To: a <a>, "B C" <b@c>, (com) d@e (f), group: g, h@i;, <@r.test:j@k.test>\nFrom: x\n\nx\n', 'To: undisclosed-recipients:;\nFrom: <>\n\nx\n',
       'From: a@b, c@d\nSender: e\nReply-To: f\nResent-From: g\nResent-To: h\nErrors-To: i\nReturn-Receipt-To: j\nDisposition-Notification-To: k\nMail-Followup-To: l\n\nx\n', 'From: "quoted, name" <user@host>\nTo: \u00fc <a@b>\nCc: =?utf-8?q?x?= <c@d>\n\nx\n', 'Date: x\nDate: y\nMessage-Id: <a@b>\nMessage-ID: <c@d>\nFrom: z\n\nx\n', 'Message-Id:\nFrom: z\n\nx\n',
       'Resent-From: a@b.test\nTo: c\n\nx\n', 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\npre\n--b\nSubject: part\nX: 1\n\nbody\n--b\nContent-Type: message/rfc822\n\nSubject: nested\n\nnested body\n--b--\npost\n']

CASES = [
    case('header-actions', '', *marked('header'), cleanup='header_checks = regexp:{private}/files/headers', files={'headers': HEADERS}),
    case('body-actions', '', *marked('body'), cleanup='body_checks = regexp:{private}/files/bodies', files={'bodies': BODIES}),
    *[one(f'odd-{i}-outside', text) for i, text in enumerate(ODD)], *[one(f'odd-{i}-inside', text, **LOCAL) for i, text in enumerate(ODD)],
    one('checks-by-kind', ODD[-1], 'header_checks = regexp:{{/^(.*): / WARN main $$1}}\nmime_header_checks = regexp:{{/^(.*)/ WARN mime $$1}}\nnested_header_checks = regexp:{{/^(.*)/ WARN nested $$1}}\nbody_checks = regexp:{{/^(.*)/ INFO body $$1}}'),
    one('checks-one-for-all', ODD[-1], 'header_checks = regexp:{{/^(.*)/ WARN any $$1}}'),
    one('checks-off', CHECKED.format('mark0', 'x'), 'header_checks = regexp:{{/./ REJECT}}', settings='receive_override_options = no_header_body_checks'),
    one('checks-in-part', 'Subject: x\n\n' + 'y' * 60000 + '\n' + 'needle\n', 'body_checks = regexp:{{/needle/ REJECT}}'),
    one('checks-long-header', 'Subject: ' + 'x' * 3000 + ' needle\n\ny\n', 'header_checks = regexp:{{/needle/ WARN found}}\nheader_size_limit = 1000'),
    one('checks-broken', CHECKED.format('a', 'b'), 'header_checks = fail:x'), one('body-checks-broken', CHECKED.format('a', 'b'), 'body_checks = fail:x'),
    one('checks-long-line', 'Subject: x\n\n' + 'z' * 5000 + 'needle\n', 'body_checks = regexp:{{/needle/ WARN found} {/^z+$$/ INFO piece}}\nline_length_limit = 2048'),
    one('always-headers', 'Subject: x\n\ny\n', 'always_add_missing_headers = yes'), one('always-headers-resent', 'Resent-From: a@b.test\n\ny\n', 'always_add_missing_headers = yes'),
    one('no-text', '', **LOCAL), one('only-blank', '\n', **LOCAL), one('only-body', 'just text\nand more\n', **LOCAL), one('null-sender', 'Subject: x\n\ny\n', sender='', **LOCAL), one('undisclosed', 'Subject: x\n\ny\n', 'undisclosed_recipients_header = To: undisclosed-recipients:;', **LOCAL),
    one('undisclosed-not', 'Subject: x\n\ny\n', 'undisclosed_recipients_header =', **LOCAL), one('bare-sender', 'From: user\nTo: user1\nSubject: x\n\ny\n', sender='user1', **LOCAL), one('bare-sender-outside', 'From: user\nTo: user1\nSubject: x\n\ny\n', sender='user1'),
    one('remote-domain', 'From: user\nTo: user1\nSubject: x\n\ny\n', 'remote_header_rewrite_domain = domain.invalid', sender='user1'),
    case('rewritten-for', 'local_header_rewrite_clients = inline:{{127.0.0.2=x}}, check_address_map inline:{{127.0.0.3=x}}', *[session(*message(text='From: user\nTo: user1, x@sub\nSubject: x\n\ny\n'), source=f'127.0.0.{i}') for i in (1, 2, 3, 4)]),
    case('rewritten-for-logins', 'local_header_rewrite_clients = permit_sasl_authenticated, permit_mynetworks', *[session(*message(text='From: user\nTo: user1\nSubject: x\n\ny\n'), source=f'127.0.0.{i}') for i in (1, 2)]),
    one('masqueraded', 'From: a@host.golden.test\nTo: user1@x.golden.test\nSubject: x\n\ny\n', 'masquerade_domains = golden.test', sender='a@host.golden.test', **LOCAL),
    one('canonical', 'From: a@old.test\nTo: user1\nReply-To: <a@old.test> (A)\nSubject: x\n\ny\n', 'canonical_maps = inline:{{a@old.test=new@golden.test}}', sender='a@old.test', **LOCAL),
    one('loops', MANY), one('few-hops', MANY, 'hopcount_limit = 70'), one('size', 'Subject: x\n\n' + ('y' * 70 + '\n') * 40, 'message_size_limit = 2000', 'message_size_limit = 2000'),
    case('declared-size', 'message_size_limit = 2000', session(EHLO, MAIL + ' SIZE=2000', 'RSET', MAIL + ' SIZE=2001', QUIT)),
    one('header-limit', 'X-Big: ' + 'a' * 90000 + '\n ' + 'b' * 50000 + '\nSubject: y\n\nz\n'), one('small-header-limit', 'X-Big: ' + 'a' * 100 + '\n ' + 'b' * 50 + '\nSubject: y\n\nz\n', 'header_size_limit = 60'),
    one('dropped-headers', 'Bcc: a\nContent-Length: 3\nResent-Bcc: b\nReturn-Path: c\nX-Drop: d\nSubject: e\n\nf\n', 'message_drop_headers = x-drop, bcc', **LOCAL),
    one('always-copy', 'Subject: x\n\ny\n', 'always_bcc = alice@golden.test'), one('copies', 'Subject: x\n\ny\n', 'sender_bcc_maps = inline:{{sender@remote.test=bob@golden.test}}\nrecipient_bcc_maps = inline:{{user1@golden.test=alice@golden.test}}'),
    one('eight-bit', 'Subject: x\n\n\u00fcml\u00e4ut\n'), one('eight-bit-strict', 'Subject: \u00fc\n\n\u00fcml\u00e4ut\n', 'strict_8bitmime = yes'), one('strict-body', 'Subject: x\n\n\u00fc\n', 'strict_8bitmime_body = yes'), one('strict-seven', 'Subject: \u00fc\n\nx\n', 'strict_7bit_headers = yes'),
    one('mime-depth', 'MIME-Version: 1.0\n' + ''.join(f'Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n' for i in range(12)) + '\nx\n', 'mime_nesting_limit = 5\nstrict_mime_encoding_domain = yes'),
    one('mime-encoding', 'MIME-Version: 1.0\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeA==\n', 'strict_mime_encoding_domain = yes'), one('mime-quiet', 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\nContent-Transfer-Encoding: quoted-printable\n\n--x--\n'),
    one('converted', 'MIME-Version: 1.0\nContent-Type: text/plain\n\nx\n', 'detect_8bit_encoding_header = no\ndisable_mime_input_processing = yes'),
    case('detected', '', session(EHLO, MAIL + ' BODY=7BIT', RCPT, *content('Subject: x\n\n\u00fc\n'), MAIL + ' BODY=8BITMIME', RCPT, *content('Subject: x\n\nx\n'), QUIT)),
    case('hidden', 'smtpd_sasl_authenticated_header = no', session('EHLO [127.0.0.9]', MAIL, RCPT, *content(), QUIT), session('EHLO x(y)z<a>', MAIL, RCPT, *content(), QUIT), session('HELO ' + 'n' * 150, MAIL, RCPT, *content(), QUIT)),
    case('long-names', '', session(*message('x' * 60 + '@golden.test', 'user1@golden.test')), session(EHLO, 'MAIL FROM:<"quoted name"@remote.test>', 'RCPT TO:<"user1"@golden.test>', *content(), QUIT)),
    case('options-kept', '', session(EHLO, MAIL + ' RET=HDRS ENVID=a+2Bb SIZE=99 BODY=8BITMIME', RCPT + ' NOTIFY=NEVER ORCPT=rfc822;orig+2Bx@y.test', *content(), QUIT), cleanup='header_checks = regexp:{{/^Subject/ HOLD}}'),
    case('kept-as-written', '', session(*message('user1@golden.test', 'postmaster', '"user2"@golden.test', 'alice+ext@golden.test'), source='127.0.0.1'), session(*message(sender='')), cleanup='header_checks = regexp:{{/^Subject/ HOLD}}\nrecipient_delimiter = +'),
    case('old-id', 'enable_long_queue_ids = no', session(*message())), case('own-name', 'myhostname = other.golden.test\nmail_name = Mailer', session(*message()), cleanup='myhostname = other.golden.test\nmail_name = Mailer'),
]
