#!/usr/bin/env python3
"""What milters are told and what becomes of what they say, compared with what Postfix 3.7.11 did: the dialogue packet by packet, the
replies to the client, the message as the next host received it, the lines of the log.

  tests/compat/milters.py [--record] [PATTERN]

milters.txt has a line for each case. --record runs Debian's Postfix instead, in private name spaces, and writes that file (root, and
apt for the package). milters_own.txt has those cases in which Ekiden does something else on purpose (docs/milters.md names them);
--own writes it.
"""
import argparse, fnmatch, os, re, sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
import reference, told_dialogue
from instance import FarServer, happens, wait_until
from own_mounts import in_own_mount_namespace
from played_milter import *
from told_dialogue import masked, talk, told

RECORDED = os.path.join(ROOT, 'tests', 'compat', 'milters.txt')
OWN = os.path.join(ROOT, 'tests', 'compat', 'milters_own.txt')
PORTS = [7101, 7102, 7103]
MAIN = told_dialogue.MAIN + '''\
smtpd_recipient_restrictions = check_recipient_access inline:{{{{ refused@golden.test=reject }}}}
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_milters = inet:127.0.0.1:7101
milter_default_action = tempfail
milter_connect_timeout = 2s
milter_command_timeout = 2s
milter_content_timeout = 2s
mail_version = 3
'''
TWO = 'smtpd_milters = inet:127.0.0.1:7101, inet:127.0.0.1:7102\n'
# For a client of its own, so that the server can be seen to have started.
NONE = 'smtpd_milters =\nsmtpd_milter_maps = inline:{{{{ {{{{ 127.0.0.2 = inet:127.0.0.1:7109 }}}} }}}}\n'
SETTINGS = {
    '': '',
    'alone': '\n',                 # for what ends a process of Postfix
    'two': TWO,
    'version-2': 'milter_protocol = 2\n',
    'version-3': 'milter_protocol = 3\n',
    'version-4': 'milter_protocol = 4\n',
    'none': NONE + '',
    'none-accept': NONE + 'milter_default_action = accept\n',
    'none-reject': NONE + 'milter_default_action = reject\n',
    'none-quarantine': NONE + 'milter_default_action = quarantine\n',
    'unix': 'smtpd_milters = unix:no/such\nmilter_default_action = accept\n',
    'accept': 'milter_default_action = accept\n',
    'reject': 'milter_default_action = reject\n',
    'quarantine': 'milter_default_action = quarantine\n',
    'own': 'smtpd_milters = {{{{ inet:127.0.0.1:7101, default_action=accept, {{{{ command_timeout = 1s }}}} protocol=4 }}}} inet:127.0.0.1:7102\n',
    'maps': 'smtpd_milter_maps = inline:{{{{ {{{{ 127.0.0.1 = DISABLE }}}} }}}}\n',
    'maps-other': 'smtpd_milter_maps = inline:{{{{ {{{{ 127.0.0.1 = inet:127.0.0.1:7102 }}}} }}}}\n',
    'maps-fail': 'smtpd_milter_maps = inline:{{{{ {{{{ 127.0.0.1 = DISABLE }}}} }}}} fail:x\n',
    'off': 'receive_override_options = no_milters\n',
    'macros': '''milter_connect_macros = j _ v {{{{daemon_name}}}} {{{{daemon_addr}}}} {{{{daemon_port}}}} {{{{client_addr}}}} {{{{client_name}}}} {{{{client_ptr}}}} {{{{client_connections}}}} {{{{nonsense}}}} {{{{own}}}} i
milter_helo_macros = {{{{client_addr}}}} {{{{client_connections}}}} {{{{tls_version}}}} {{{{own}}}} r s
milter_mail_macros = i {{{{mail_addr}}}} {{{{mail_host}}}} {{{{mail_mailer}}}} {{{{auth_type}}}} {{{{client_ptr}}}}
milter_rcpt_macros = i {{{{rcpt_addr}}}} {{{{rcpt_host}}}} {{{{rcpt_mailer}}}} {{{{mail_addr}}}}
milter_data_macros = i {{{{rcpt_addr}}}} {{{{mail_addr}}}} {{{{mail_mailer}}}}
milter_end_of_header_macros = i j {{{{mail_addr}}}} {{{{client_addr}}}} {{{{client_name}}}} {{{{client_ptr}}}} {{{{client_connections}}}} {{{{rcpt_addr}}}} {{{{daemon_name}}}} {{{{own}}}} _
milter_end_of_data_macros = i v {{{{rcpt_host}}}} {{{{mail_host}}}} {{{{auth_type}}}}
milter_unknown_command_macros = j {{{{client_addr}}}}
milter_macro_defaults = own=value, {{{{auth_type}}}}=none
milter_macro_daemon_name = ORIGINATING
milter_macro_v = Ekiden 1
''',
    'checks': 'milter_header_checks = regexp:{folder}/checks\n',
    'local': 'non_smtpd_milters = inet:127.0.0.1:7101\nsmtpd_milters =\n',
    'local-later': 'non_smtpd_milters = inet:127.0.0.1:7101\nsmtpd_milters =\n',
    'local-two': 'non_smtpd_milters = inet:127.0.0.1:7101, inet:127.0.0.1:7102\nsmtpd_milters =\nmilter_macro_daemon_name = HERE\n',
    'local-none': 'non_smtpd_milters = inet:127.0.0.1:7109\nsmtpd_milters =\nmilter_default_action = accept\n',
    'local-macros': '''non_smtpd_milters = inet:127.0.0.1:7101
smtpd_milters =
milter_connect_macros = j _ v {{{{daemon_name}}}} {{{{daemon_addr}}}} {{{{daemon_port}}}} {{{{client_addr}}}} {{{{client_name}}}} {{{{client_ptr}}}} {{{{client_port}}}} {{{{client_connections}}}}
milter_mail_macros = i {{{{mail_addr}}}} {{{{mail_host}}}} {{{{mail_mailer}}}} {{{{auth_type}}}} {{{{client_ptr}}}}
milter_rcpt_macros = i {{{{rcpt_addr}}}} {{{{rcpt_host}}}} {{{{rcpt_mailer}}}}
''',
    'maps-addresses': 'virtual_alias_maps = inline:{{{{ b@golden.test=v@golden.test new@golden.test=w@golden.test }}}}\nsender_canonical_maps = inline:{{{{ new@remote.test=canon@remote.test }}}}\nalways_bcc = archive@golden.test\n',
}
CHECKS = '''/^X-Drop: x/ IGNORE
/^X-Bad: x/ REJECT no such thing
/^X-Hold: x/ HOLD waits
/^X-Swap: x/ REPLACE X-Swapped: y
/^X-Filter: x/ FILTER smtp:[127.0.0.1]:1
/^X-Redirect: x/ REDIRECT other@golden.test
/^X-Warn: x/ WARN look
/^X-Discard: x/ DISCARD gone
/^X-Prepend: x/ PREPEND X-Before: z
/^X-Strip: x/ STRIP off
/^X-Bcc: x/ BCC copy@golden.test
'''
HELLO = 'EHLO client.test'
FROM, TO = 'MAIL FROM:<a@remote.test>', 'RCPT TO:<b@golden.test>'
TEXT = 'Subject: one\r\nFrom: a@remote.test\r\nX-A: 1\r\nX-A: 2\r\n\r\nbody\r\n.'
MAIL = [HELLO, FROM, TO, 'DATA', TEXT, 'QUIT']
TWICE = [HELLO, FROM, TO, 'DATA', TEXT, FROM, TO, 'DATA', TEXT, 'QUIT']
LONG = 'Subject: long\r\n\r\n' + ('x' * 998 + '\r\n') * 140 + '.'
ANSWERS = {'accept': b'a', 'reject': b'r', 'tempfail': b't', 'discard': b'd', '550': reply('550 5.7.1 no sir'), '451': reply('451 4.7.1 later'), '421': reply('421 4.7.0 away'),
           'lines': reply('550-5.7.1 one\r\n550 5.7.1 two'), 'plain': reply('550 no code'), 'percent': reply('550 5.7.1 100%% sure'), 'odd': reply('250 2.0.0 fine'),
           'shutdown': b'4', 'fail': b'f', 'quarantine': quarantine('why not'), 'unknown': b'Z', 'close': CLOSE, 'skip': b's', 'progress': [b'p', b'p', b'c'], 'header': add_header('X-B', 'y')}
SCENES = {'C': MAIL, 'H': MAIL, 'M': [HELLO, FROM, FROM, TO, 'QUIT'], 'R': [HELLO, FROM, TO, 'RCPT TO:<c@golden.test>', 'DATA', TEXT, FROM, TO, 'QUIT'],
          'T': MAIL, 'U': [HELLO, 'FOO bar', *MAIL[1:]], 'L': TWICE, 'N': MAIL, 'B': MAIL, 'E': TWICE}
LETTERS = {'C': 'connect', 'H': 'helo', 'M': 'mail', 'R': 'rcpt', 'T': 'data', 'U': 'unknown', 'L': 'header', 'N': 'eoh', 'B': 'body', 'E': 'eom'}


def eom(*packets, text=TEXT, commands=None, settings='', **more):
    return settings, [{'script': {'E': [*packets, b'c']}, **more}], commands or [HELLO, FROM, TO, 'DATA', text, 'QUIT']


CASES = {
    # name: (settings, milters, commands); a milter is what Milter.play() takes
    'session': ('', [{}], [HELLO, 'EHLO again', 'VRFY b@golden.test', 'NOOP', 'FOO bar', 'RSET', FROM, TO, 'RCPT TO:<refused@golden.test>', 'RSET', *MAIL[1:-1], *MAIL[1:]]),
    'early-quit': ('', [{}], ['QUIT']),
    'mail-quit': ('', [{}], [HELLO, FROM, 'QUIT']),
    'rcpt-rset': ('', [{}], [HELLO, FROM, TO, 'RSET', 'QUIT']),
    'mail-helo': ('', [{}], [HELLO, FROM, HELLO, 'QUIT']),
    'parameters': ('', [{}], [HELLO, 'MAIL FROM:<a@remote.test> SIZE=100 BODY=8BITMIME', 'RCPT TO:<b@golden.test> NOTIFY=NEVER ORCPT=rfc822;q@x', 'DATA', TEXT, 'QUIT']),
    'null-sender': ('', [{}], [HELLO, 'MAIL FROM:<>', 'RCPT TO:<"odd one"@golden.test>', 'DATA', TEXT, 'QUIT']),
    'spelling': ('', [{}], [HELLO, 'mail from: a@remote.test', 'rcpt to: <b@GOLDEN.test>', 'DATA', TEXT, 'QUIT']),
    'no-helo': ('', [{}], [FROM, TO, 'DATA', TEXT, 'QUIT']),
    'bad-syntax': ('', [{}], [HELLO, 'MAIL FROM:<a@b', 'MAIL x', FROM, 'RCPT TO:', 'DATA', 'XYZ', 'QUIT']),
    'bdat': ('', [{}], [HELLO, FROM, TO, 'BDAT 29 LAST\r\nSubject: a\r\nX-B: c\r\n\r\nhello', 'QUIT']),
    'xclient': ('', [{}], [HELLO, 'XCLIENT NAME=spike.test ADDR=192.0.2.7 PORT=99 HELO=other', HELLO, *MAIL[1:]]),
    'all-steps-off': ('', [{'steps': 0x3ff & ~0x80}], MAIL),
    'no-headers': ('', [{'steps': 0x20}], MAIL),
    'no-body': ('', [{'steps': 0x10}], MAIL),
    'no-replies': ('', [{'steps': sum(NO_REPLY.values())}], [HELLO, 'FOO', *MAIL[1:]]),
    'leading-space': ('', [{'steps': LEADING_SPACE}], [HELLO, FROM, TO, 'DATA', 'A:1\r\nB: 2\r\nC:  3\r\nD:\r\nE: \r\nF:\t4\r\nG : 5\r\n\r\nx\r\n.', 'QUIT']),
    'leading-space-edit': eom(add_header('X-1', 'v'), add_header('X-2', ' v'), insert_header(0, 'X-3', 'v'), change_header(1, 'X-A', 'new'), change_header(2, 'X-A', '  new'), steps=LEADING_SPACE),
    'values': ('', [{}], [HELLO, FROM, TO, 'DATA', 'A:1\r\nB: 2\r\nC:  3\r\nD:\r\nE: \r\nF:\t4\r\nG : 5\r\nH: one\r\n two\r\n\tthree\r\nI:\r\n folded\r\n\r\nx\r\n.', 'QUIT']),
    'rejected-recipients': ('', [{'steps': REJECTED}], [HELLO, FROM, 'RCPT TO:<refused@golden.test>', TO, 'RCPT TO:<>', 'DATA', TEXT, 'QUIT']),
    'rejected-first': ('', [{'steps': REJECTED, 'script': {'R:<refused': reply('550 5.1.1 mine')}}], [HELLO, FROM, 'RCPT TO:<refused@golden.test>', TO, 'QUIT']),
    'rejected-sender': ('', [{}], [HELLO, 'MAIL FROM:<a@remote.test> SIZE=99999999', 'QUIT']),
    'offers-2': ('', [{'version': 2, 'actions': 0x3f, 'steps': 0x7f & 0}], [HELLO, 'FOO', *MAIL[1:]]),
    'offers-3': ('', [{'version': 3, 'actions': 0x3f}], [HELLO, 'FOO', *MAIL[1:]]),
    'offers-4': ('', [{'version': 4, 'actions': 0x3f}], [HELLO, 'FOO', *MAIL[1:]]),
    'offers-5': ('', [{'version': 5}], MAIL),
    'version-2': ('version-2', [{}], [HELLO, 'FOO', *MAIL[1:]]),
    'version-3': ('version-3', [{}], [HELLO, 'FOO', *MAIL[1:]]),
    'version-4': ('version-4', [{}], [HELLO, 'FOO', *MAIL[1:]]),
    'offers-1': ('', [{'version': 1}], MAIL),
    'offers-7': ('', [{'negotiation': b'O' + struct.pack('!III', 7, 0x1ff, 0)}], MAIL),
    'wants-unknown-steps': ('', [{'negotiation': b'O' + struct.pack('!III', 6, 0x1ff, 0x1000000)}], MAIL),
    'wants-unknown-actions': ('', [{'negotiation': b'O' + struct.pack('!III', 6, 0x1fff, 0)}], MAIL),
    'negotiation-short': ('', [{'negotiation': b'O' + struct.pack('!II', 6, 0x1ff)}], MAIL),
    'negotiation-other': ('', [{'negotiation': b'c'}], MAIL),
    'negotiation-close': ('', [{'negotiation': CLOSE}], MAIL),
    'negotiation-silence': ('', [{'negotiation': SILENCE}], MAIL),
    'negotiation-garbage': ('', [{'negotiation': Raw(b'HTTP/1.0 400 Bad\r\n\r\n')}], MAIL),
    'negotiation-huge': ('', [{'negotiation': Raw(struct.pack('!I', 1 << 30) + b'O')}], MAIL),
    'symbols': ('', [{'symbols': {0: 'j {client_addr}', 1: '{tls_version} {client_name}', 2: 'i {mail_addr}', 3: '{rcpt_addr}', 4: 'i {client_ptr}', 5: 'i {mail_addr} {client_addr}', 6: 'j'}}], MAIL),
    'symbols-some': ('', [{'symbols': {5: ' {client_addr},  j '}}], MAIL),
    'symbols-none': ('', [{'symbols': {0: '', 2: ''}}], MAIL),
    'symbols-odd': ('', [{'symbols': {9: 'j'}}], MAIL),
    'macros': ('macros', [{}], [HELLO, 'FOO', *MAIL[1:]]),
    'own': ('own', [{'script': {'H': SILENCE}}, {}], MAIL),
    'maps': ('maps', [{}], MAIL),
    'maps-other': ('maps-other', [{}, {}], MAIL),
    'maps-fail': ('maps-fail', [{}], MAIL),
    'override': ('off', [{}], MAIL),
    'two': ('two', [{}, {}], MAIL),
    'two-reject': ('two', [{'script': {'R': b'r'}}, {}], MAIL),
    'two-second-rejects': ('two', [{}, {'script': {'R': b'r'}}], MAIL),
    'two-accept': ('two', [{'script': {'C': b'a'}}, {}], MAIL),
    'two-accept-mail': ('two', [{'script': {'M': b'a'}}, {}], TWICE),
    'two-edits': ('two', [{'script': {'E': [add_header('X-B', 'first'), change_header(1, 'Subject', 'changed'), replace_body(b'other\r\n'), add_recipient('<new@golden.test>'), b'c']}}, {'script': {'E': [add_header('X-C', 'second'), b'c']}}], MAIL),
    'two-edits-reject': ('two', [{'script': {'E': [add_header('X-B', 'first'), b'c']}}, {'script': {'E': b'r'}}], MAIL),
    'two-reject-content': ('two', [{'script': {'E': b'r'}}, {}], MAIL),
    'two-discard': ('two', [{'script': {'N': b'd'}}, {}], MAIL),
    'two-first-fails': ('two', [{'script': {'M': CLOSE}}, {}], MAIL),
    # edits
    'add': eom(add_header('X-New', 'value'), add_header('X-Fold', 'one\n\ttwo'), add_header('X-Fold2', 'one\r\n two'), add_header('X-Empty', ''), add_header('X-Long', 'y' * 1200)),
    'add-eight': eom(add_header('X-New', 'Grüße')),
    'add-odd-names': eom(add_header('X New', 'v'), add_header('', 'v'), add_header('X:Y', 'v')),
    'insert': eom(insert_header(0, 'X-0', 'a'), insert_header(1, 'X-1', 'b'), insert_header(2, 'X-2', 'c'), insert_header(100, 'X-100', 'd')),
    'insert-twice': eom(insert_header(1, 'X-1', 'a'), insert_header(1, 'X-2', 'b')),
    'insert-big': eom(insert_header(0x80000000, 'X-1', 'a')),
    'change': eom(change_header(1, 'X-A', 'first'), change_header(2, 'X-A', 'second')),
    'change-case': eom(change_header(1, 'x-a', 'first')),
    'change-longer': eom(change_header(1, 'Subject', 'a much longer subject than the other was before it came'), change_header(1, 'Subject', 'short')),
    'change-missing': eom(change_header(1, 'X-None', 'value'), change_header(3, 'X-A', 'third')),
    'change-zero': eom(change_header(0, 'X-A', 'zero')),
    'delete': eom(change_header(1, 'X-A', '')),
    'delete-both': eom(change_header(2, 'X-A', ''), change_header(1, 'X-A', '')),
    'delete-twice': eom(change_header(1, 'X-A', ''), change_header(1, 'X-A', '')),
    'delete-missing': eom(change_header(1, 'X-None', '')),
    'delete-received': eom(change_header(1, 'Received', '')),
    'change-received': eom(change_header(1, 'Received', 'mine')),
    'delete-all': eom(change_header(1, 'X-A', ''), change_header(1, 'X-A', ''), change_header(1, 'Subject', ''), change_header(1, 'From', '')),
    'change-added': eom(add_header('X-New', 'one'), change_header(1, 'X-New', 'two')),
    'change-inserted': eom(insert_header(0, 'X-A', 'zero'), change_header(1, 'X-A', 'new')),
    'body': eom(replace_body(b'new\r\nbody\r\n')),
    'body-chunks': eom(replace_body(b'new\r'), replace_body(b'\nbo'), add_header('X-B', 'y'), replace_body(b'dy without end')),
    'body-empty': eom(replace_body(b'')),
    'body-lf': eom(replace_body(b'one\ntwo\r\n\r\nthree\rfour\r\n')),
    'body-dots': eom(replace_body(b'.\r\n..\r\n.x\r\n')),
    'body-long': eom(replace_body(b'z' * 3000 + b'\r\n')),
    'body-none-before': eom(replace_body(b'new\r\n'), text='Subject: x\r\n.'),
    'body-no-header': eom(replace_body(b'new\r\n'), add_header('X-B', 'y'), text='\r\nx\r\n.'),
    'body-headerless': eom(replace_body(b'new\r\n'), add_header('X-B', 'y'), text='no header\r\nx\r\n.'),
    'from': eom(change_from('<new@remote.test>')),
    'from-plain': eom(change_from('new@remote.test')),
    'from-null': eom(change_from('<>')),
    'from-empty': eom(change_from('')),
    'from-arguments': eom(change_from('<new@remote.test>', 'RET=HDRS ENVID=abc')),
    'from-bad-arguments': eom(change_from('<new@remote.test>', 'FOO=BAR')),
    'from-odd': eom(change_from('Name <new@remote.test> (comment)')),
    'rcpt': eom(add_recipient('<new@golden.test>')),
    'rcpt-same': eom(add_recipient('<b@golden.test>')),
    'rcpt-plain': eom(add_recipient('new')),
    'rcpt-empty': eom(add_recipient('')),
    'rcpt-arguments': eom(add_recipient_with('<new@golden.test>', 'NOTIFY=NEVER ORCPT=rfc822;z@y')),
    'rcpt-bad-arguments': eom(add_recipient_with('<new@golden.test>', 'FOO=BAR')),
    'rcpt-no-arguments': eom(add_recipient_with('<new@golden.test>')),
    'remove': eom(remove_recipient('<b@golden.test>'), add_recipient('<c@golden.test>')),
    'remove-all': eom(remove_recipient('<b@golden.test>')),
    'remove-case': eom(remove_recipient('<B@GOLDEN.test>'), add_recipient('<c@golden.test>')),
    'remove-other': eom(remove_recipient('<x@golden.test>')),
    'remove-added': eom(add_recipient('<c@golden.test>'), remove_recipient('<c@golden.test>')),
    'remove-again': eom(remove_recipient('<b@golden.test>'), add_recipient('<b@golden.test>')),
    'mapped': eom(add_recipient('<new@golden.test>'), change_from('<new@remote.test>'), settings='maps-addresses'),
    'mapped-remove': eom(remove_recipient('<b@golden.test>'), add_recipient('<c@golden.test>'), settings='maps-addresses'),
    'mapped-remove-target': eom(remove_recipient('<v@golden.test>'), settings='maps-addresses'),
    'quarantine-eom': eom(quarantine('looks odd')),
    'quarantine-edit': eom(quarantine(''), add_header('X-B', 'y')),
    'forbidden-add': eom(add_header('X-B', 'y'), actions=0),
    'forbidden-body': eom(replace_body(b'x\r\n'), actions=0),
    'forbidden-rcpt': eom(add_recipient('<c@golden.test>'), actions=0),
    'edits-then-reject': ('', [{'script': {'E': [add_header('X-B', 'y'), replace_body(b'x'), b'r']}}], MAIL),
    'edits-then-accept': ('', [{'script': {'E': [add_header('X-B', 'y'), b'a']}}], MAIL),
    'edits-then-discard': ('', [{'script': {'E': [add_header('X-B', 'y'), b'd']}}], MAIL),
    'edits-then-close': ('', [{'script': {'E': [add_header('X-B', 'y'), CLOSE]}}], MAIL),
    'edits-then-close-accept': ('accept', [{'script': {'E': [add_header('X-B', 'y'), CLOSE]}}], MAIL),
    'progress-eom': ('', [{'script': {'E': [b'p', add_header('X-B', 'y'), b'p', b'c']}}], MAIL),
    'cut-packets': ('', [{'script': {'E': [b'hX-B', b'c']}}], MAIL),
    'cut-index': ('', [{'script': {'E': [b'i\0\0', b'c']}}], MAIL),
    'no-text': ('', [{'script': {'E': [b'y', b'c']}}], MAIL),
    'add-newline': eom(add_header('X-N', 'v\n'), add_header('X-M', 'v\nX-O: w'), add_header('X-P', 'v\r\n')),
    'two-insert': ('two', [{'script': {'E': [insert_header(0, 'X-0', 'a'), insert_header(1, 'X-1', 'b'), b'c']}}, {'script': {'E': [insert_header(1, 'X-2', 'c'), change_header(1, 'Received', ''), change_header(1, 'X-0', 'z'), b'c']}}], MAIL),
    'hold-mail': ('', [{'script': {'M': [quarantine('x'), b'c']}}], MAIL),
    'hold-connect': ('', [{'script': {'C': [quarantine('x'), b'c']}}], MAIL),
    'hold-header': ('', [{'script': {'L': [quarantine('x'), b'c']}}], MAIL),
    'etrn': ('', [{'script': {'H': b'r'}}], [HELLO, 'VRFY b', 'ETRN golden.test', 'AUTH PLAIN x', 'STARTTLS', 'NOOP', 'RSET', 'HELP', 'QUIT']),
    'received-before': ('', [{'script': {'E': [change_header(1, 'Received', 'new'), b'c']}}], [HELLO, FROM, TO, 'DATA', 'Received: old\r\nSubject: x\r\n\r\nx\r\n.', 'QUIT']),
    # content
    'no-body-at-all': ('', [{}], [HELLO, FROM, TO, 'DATA', 'Subject: x\r\n.', 'QUIT']),
    'empty': ('', [{}], [HELLO, FROM, TO, 'DATA', '.', 'QUIT']),
    'blank': ('', [{}], [HELLO, FROM, TO, 'DATA', '\r\n.', 'QUIT']),
    'headerless': ('', [{}], [HELLO, FROM, TO, 'DATA', 'hello\r\nthere\r\n.', 'QUIT']),
    'late-headerless': ('', [{}], [HELLO, FROM, TO, 'DATA', 'Subject: x\r\nhello\r\nthere\r\n.', 'QUIT']),
    'dropped-fields': ('', [{}], [HELLO, FROM, TO, 'DATA', 'Bcc: q@x\r\nReturn-Path: <z>\r\nContent-Length: 4\r\nSubject: x\r\n\r\nx\r\n.', 'QUIT']),
    'unterminated': ('', [{}], [HELLO, FROM, TO, 'BDAT 16 LAST\r\nSubject: a\r\n\r\nhe', 'QUIT']),
    'long': ('', [{}], [HELLO, FROM, TO, 'DATA', LONG, 'QUIT']),
    'long-skip': ('', [{'steps': SKIPS, 'script': {'B': b's'}}], [HELLO, FROM, TO, 'DATA', LONG, 'QUIT']),
    'long-skip-unasked': ('', [{'script': {'B': b's'}}], [HELLO, FROM, TO, 'DATA', LONG, 'QUIT']),
    'long-field': ('', [{}], [HELLO, FROM, TO, 'DATA', 'Subject: ' + '\r\n '.join(['w' * 70] * 60) + '\r\n\r\nx\r\n.', 'QUIT']),
    'stray-cr': ('', [{}], [HELLO, FROM, TO, 'DATA', 'Subject: a\rb\r\n\r\nx\ry\r\n.', 'QUIT']),
    # failures
    'none': ('none', [], MAIL), 'none-accept': ('none-accept', [], MAIL), 'none-reject': ('none-reject', [], MAIL),
    'none-quarantine': ('none-quarantine', [], MAIL), 'none-unix': ('unix', [], MAIL),
    'none-more': ('none', [], [HELLO, 'VRFY b', 'NOOP', 'RSET', 'FOO', FROM, FROM, TO, 'QUIT']),
    # header checks
    **{f'checks-{word.lower()}': eom(add_header(f'X-{word}', 'x'), settings='checks') for word in ('Drop', 'Bad', 'Hold', 'Swap', 'Filter', 'Redirect', 'Warn', 'Discard', 'Prepend', 'Strip', 'Bcc')},
    'checks-insert': eom(insert_header(0, 'X-Drop', 'x'), insert_header(0, 'X-Swap', 'x'), change_header(1, 'Subject', 'x'), settings='checks'),
    'checks-change': eom(change_header(1, 'X-A', 'x'), change_header(1, 'X-Drop', 'x'), settings='checks'),
    # what sendmail submits
    'local': ('local', [{}], None), 'local-edit': ('local', [{'script': {'E': [add_header('X-B', 'y'), add_recipient('<new@golden.test>'), b'c']}}], None),
    'local-reject': ('local', [{'script': {'E': b'r'}}], None), 'local-tempfail': ('local-later', [{'script': {'E': b't'}}], None), 'local-discard': ('local', [{'script': {'E': b'd'}}], None),
    'local-hold': ('local', [{'script': {'E': [quarantine('x'), b'c']}}], None),
    'local-macros': ('local-macros', [{}], None), 'local-two': ('local-two', [{}, {}], None), 'local-none': ('local-none', [], None),
    'local-no-replies': ('local', [{'steps': sum(NO_REPLY.values()) | 0x3}], None),
    'local-accept': ('local', [{'script': {'C': b'a'}}], None),
    'local-smtp': ('local', [{}], MAIL),
}
for letter, stage in LETTERS.items():
    for word, answer in ANSWERS.items():
        CASES[f'{stage}-{word}'] = ('alone' if (stage, word) == ('unknown', 'accept') else '', [{'script': {letter: answer}}], SCENES[letter])
    for action in ('accept', 'reject', 'quarantine'):
        CASES[f'{stage}-close-{action}'] = (action, [{'script': {letter: CLOSE}}], SCENES[letter])
    CASES[f'{stage}-silence'] = ('', [{'script': {letter: SILENCE}}], SCENES[letter])


def shortened(text):
    return re.sub(r'(.)\1{60,}', lambda m: f'{m[1]}*{len(m[0])}', re.sub(r'((.)\2{60,}\\r\\n)\1+', lambda m: f'({m[1]})*{len(m[0]) // len(m[1])}', text))


def mask(text):
    text = masked(text)
    text = re.sub(r'client_port\}=\d+', 'client_port}=PORT', text)
    text = re.sub(r'\w{3}, +\d+ \w{3} 20\d\d \d\d:\d\d:\d\d [+-]\d{4}(?: \(\w+\))?', 'DATE', text)
    text = re.sub(r'daemon_port\}=\d+', 'daemon_port}=PORT', text)
    text = re.sub(r'from userid \d+', 'from userid UID', text)
    text = re.sub(r'[\w.-]+@mail\.golden\.test>? \(\w+\)|(?<==)\w+@mail.golden.test|\w+@golden.test(?= \()', 'USER', text)
    return shortened(text)


# What one of the two systems says for reasons of its own: of settings that are set twice, of clocks, of a connection that another of
# its processes has closed; what is masked; how many recipients there were before milters took some away.
NOISE = r'overriding earlier entry|file system clock|resetting file time stamps|Broken pipe'


def clean(row):
    return ' | '.join(re.sub(r'nrcpt=\d+', 'nrcpt=N', re.sub(r'packet length: \w+ > \w+', 'packet length', part)) for part in row.split(' | ') if not re.search(NOISE, part))


def play(server, far, milters, name, commands):
    # The last session may still have something to say.
    happens(lambda: server.log().count(': connect from') <= server.log().count(': disconnect from'), 5)
    before, count = len(server.log()), len(far.messages)
    def log():
        return server.log()[before:]
    lines = []
    over = r'milter-(reject|discard|hold)|milter-header-(reject|discard|hold|filter)|: (discard|hold|reject): |warning: (maildrop|unable)'
    if commands is None:
        server.run('sendmail', '-f', 'a@remote.test', 'b@golden.test', input='Subject: x\nTo: b@golden.test\n\nhello\n')
        wait_until(lambda: re.search(r': removed' if name == 'local-reject' else r': removed|' + over, log()), lambda: f'the end of {name}: {server.log()[-3000:]}')
    else:
        replies = talk(server.port, commands, '127.0.0.2' if name.startswith(('none', 'maps-fail')) else '127.0.0.1')
        lines += [shortened(masked(line)) for line in replies]
        wait_until(lambda: ': disconnect from' in log(), lambda: f'the end of {name}: {server.log()[-3000:]}')
        for id in re.findall(r'queued as (\w+)', ' '.join(replies)):
            # What is said of the envelope may, or may not, be the end of the message.
            happens(lambda: 'NOQUEUE: milter-' not in log() or f'{id}: removed' in log(), 1)
            wait_until(lambda: re.search(rf'{id}: (removed|milter-(header-)?(reject|discard|hold|filter)|discard|hold|reject)|NOQUEUE: milter-(discard|hold)', log()), lambda: f'delivery of {name}: {server.log()[-3000:]}')
    for milter in milters:
        milter.wait_for_end()
    sent = set(re.findall(r'(\w+): to=<[^>]*>, .*status=sent', server.log()))
    wait_until(lambda: len(far.messages) >= len(sent), lambda: f'{len(sent)} messages at the far side after {name}')
    for sender, recipients, content in far.messages[count:]:
        if sender.startswith('MAIL FROM:<>') and name.startswith('local'):
            lines.append('far report')
            continue
        recipients = sorted(recipients)
        lines.append(f'far {sender} {" ".join(recipients)} ' + mask(repr(content.replace(b'\r\n', b'\n'))[2:-1]))
    for number, milter in enumerate(milters):
        lines += [f'{"ABC"[number]} {mask(line)}' for line in milter.heard]
    programs, words = 'smtpd|cleanup|pickup', r'milter|warning|fatal|reject|hold|discard|filter:|redirect:|prepend:|replace:|strip:|bcc:'
    text = log()
    told_lines = told(text, programs, words) if commands is not None else \
        [f'{m[1]}: {mask(m[2])}' for m in re.finditer(rf'postfix/({programs})\[\d+\]: (.*)', text) if re.search(words, m[2]) and 'compatibility' not in m[2]]
    told_lines += [f'qmgr: {mask(m[1])}' for m in re.finditer(r'postfix/qmgr\[\d+\]: (\w+: from=.*)', text)]
    return lines + [mask(line) for line in told_lines]


def run(system, pattern):
    """{case: outcome} for each group of cases that have the same settings"""
    for settings in SETTINGS:
        outcomes = {}
        wanted = {name: case for name, case in CASES.items() if case[0] == settings and fnmatch.fnmatch(name, pattern)}
        if not wanted:
            continue
        far = FarServer()
        main = MAIN.replace('{{far}}', str(far.port))
        own = SETTINGS[settings].replace('{{{{', '{{').replace('}}}}', '}}')
        with Milter(port=PORTS[0]) as a, Milter(port=PORTS[1]) as b:
            with system(main.replace('{{{{', '{{').replace('}}}}', '}}') + own, '', {'checks': CHECKS}) as server:
                for name, (_, milters, commands) in wanted.items():
                    for milter, kind in zip((a, b), (milters + [{}, {}])[:2]):
                        milter.wait_for_end()    # of whoever looked whether the server is there
                        milter.play(**kind)
                    try:
                        outcomes[name] = play(server, far, [a, b][:len(milters)], name, commands)
                    except (OSError, AssertionError) as trouble:
                        print(f'{name}: {trouble}')
                        outcomes[name] = ['(came to no end)']
        far.close()
        yield {name: clean(' | '.join(lines)) for name, lines in outcomes.items()}


# Cases that are not as in Postfix 3.7.11, on purpose.
DIFFERENT = [
    'add', 'add-newline', 'add-odd-names',                       # fields that nobody could read
    'rcpt-same', 'remove-all',                                   # recipients twice, or none
    'hold-*', 'unknown-accept', 'unknown-discard',               # what is asked for at an odd time
    'body-chunks',                                               # between other changes
    'header-shutdown', 'eoh-shutdown', 'body-shutdown', 'eom-shutdown',
    'header-odd', 'eom-odd',                                     # one process, which knows what the milter has said
    'edits-then-close-accept',
    'cut-packets',                                               # another word
    'local-tempfail', 'local-later',                             # when it is tried again
]


def is_different(name):
    return any(fnmatch.fnmatch(name, pattern) for pattern in DIFFERENT)


def read_rows(path, pattern):
    if not os.path.exists(path):
        return {}
    with open(path) as f:
        rows = dict(line.rstrip('\n').split(': ', 1) for line in f if not line.startswith('#'))
    return {name: row for name, row in rows.items() if fnmatch.fnmatch(name, pattern)}


def write_rows(path, who, rows):
    with open(path, 'w') as out:
        out.write(f'# What {who} did; written by milters.py.\n')
        out.writelines(f'{name}: {rows[name]}\n' for name in CASES if name in rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--record', action='store_true')
    parser.add_argument('--own', action='store_true')
    parser.add_argument('pattern', nargs='?', default='*')
    a = parser.parse_args()
    if a.record:
        reference.fetch()
    in_own_mount_namespace(network=True)
    outcomes = {}
    for group in run(reference.postfix if a.record else reference.ekiden, a.pattern):
        outcomes |= group
        if a.record:
            write_rows(RECORDED, 'Postfix 3.7.11', read_rows(RECORDED, '*') | group)
    if a.own:
        write_rows(OWN, 'Ekiden', read_rows(OWN, '*') | {name: row for name, row in outcomes.items() if is_different(name)})
    elif not a.record:
        reference.conclude(RECORDED, outcomes, False, 'dialogues', read_rows(OWN, '*'))


if __name__ == '__main__':
    main()
