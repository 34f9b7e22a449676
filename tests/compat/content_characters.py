#!/usr/bin/env python3
"""What the server does to commands and to content that a setting wants changed or refused, compared with what Postfix 3.7.11 did:
smtpd_command_filter, message_strip_characters, message_reject_characters, strict_7bit_headers and its relatives,
info_log_address_format.

  tests/compat/content_characters.py [--record] [PATTERN]

content_characters.txt has for each case the replies, the content as the next host received it, and the lines of the log that are
about it. --record runs Debian's Postfix instead, in private name spaces, and writes that file (root, and apt for the package).
"""
import fnmatch, os, re, sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
import reference
from instance import FarServer, wait_until
from told_dialogue import MAIN, mail, masked, own_part, talk, told

RECORDED = os.path.join(ROOT, 'tests', 'compat', 'content_characters.txt')
FILTER = r'''/^HELO\s*$$/ HELO domain.invalid
/^\s*$$/ NOOP
/^(RCPT\s+TO:\s*<)'([^[:space:]]+)'(>.*)/ $$1$$2$$3
/^(MAIL\s+FROM:\s*<list@golden\.test>.*)/ $$1 BODY=8BITMIME
/^(RCPT\s+TO:\s*<.*>.*)\s+NOTIFY=\S+(.*)/ $$1 NOTIFY=NEVER$$2
/^DROP/ QUIT
/^(AUTH)\s.*/ NOOP $$1
/^BROKEN/ RCPT TO:<two@golden.test>
/^DATA/ DATA
'''


def mime(*lines):
    return ['MIME-Version: 1.0', *lines]


EIGHT = 'Sübject'
CASES = {
    # name: (settings, commands); a table file is {folder}/filter
    'filter-helo': ('command', ['HELO', 'MAIL FROM:<a@remote.test>', 'QUIT']),
    'filter-empty': ('command', ['', '   ', 'HELO x', 'QUIT']),
    'filter-quotes': ('command', ['EHLO client.test', 'MAIL FROM:<a@remote.test>', "RCPT TO:<'b@golden.test'>", "  rcpt to:<'c@golden.test'>", 'DATA', 'Subject: x\r\n\r\nx\r\n.', 'QUIT']),
    'filter-mail': ('command', ['EHLO client.test', 'MAIL FROM:<list@golden.test>', 'RCPT TO:<b@golden.test> NOTIFY=SUCCESS ORCPT=rfc822;x@y', 'QUIT']),
    'filter-quit': ('command', ['EHLO client.test', 'DROP it']),
    'filter-auth': ('command', ['EHLO client.test', 'AUTH PLAIN AGEAYg==', 'QUIT']),
    'filter-other': ('command', ['EHLO client.test', 'MAIL FROM:<a@remote.test>', 'BROKEN', 'QUIT']),
    'filter-data': ('command', mail('Subject: x', '', 'DROP it', '', 'x')),
    'filter-trouble': ('trouble', ['EHLO client.test', 'QUIT']),
    'strip-header': ('strip', mail('Subject: a\x01b\x02c', 'X-\x01Other: q', '', 'x')),
    'strip-body': ('strip', mail('Subject: x', '', 'one\x01two\x02', '\x01', '', 'three')),
    'strip-fold': ('strip', mail('Subject: x', '\x01 folded', '', 'x')),
    'strip-blank': ('strip', mail('Subject: x', '\x01', 'x')),
    'strip-off': ('strip-off', mail('Subject: a\x01b', '', 'a\x01b')),
    'strip-nul': ('strip-nul', mail('Subject: a\0b', '', 'a\0b')),
    'strip-letters': ('strip-letters', mail('Subject: a~ca~c', '', '~abc\tq')),
    'reject-header': ('reject', mail('Subject: a\x01b', '', 'x')),
    'reject-body': ('reject', mail('Subject: x', '', 'a\x01b')),
    'reject-mime': ('reject', mail(*mime('Content-Type: multipart/mixed; boundary=b'), '', 'pre', '--b', 'X: a\x01b', '', 'x', '--b--')),
    'reject-none': ('reject', mail('Subject: x', '', 'x')),
    'reject-off': ('reject-off', mail('Subject: a\x01b', '', 'x')),
    'both': ('both', mail('Subject: a\x01b', '', 'a\x01b')),
    'both-other': ('both', mail('Subject: a\x01b', '', 'a\x03b')),
    'headers-7bit': ('headers-7bit', mail(f'Subject: {EIGHT}', '', 'x')),
    'headers-7bit-body': ('headers-7bit', mail('Subject: x', '', EIGHT)),
    'body-8bit': ('body-8bit', mail('Subject: x', '', 'ok', EIGHT)),
    'body-8bit-declared': ('body-8bit', mail(*mime('Content-Type: text/plain', 'Content-Transfer-Encoding: 8bit'), '', EIGHT)),
    'body-8bit-header': ('body-8bit', mail(f'Subject: {EIGHT}', '', 'x')),
    'all-8bit': ('all-8bit', mail(f'Subject: {EIGHT}', '', 'x')),
    'all-8bit-body': ('all-8bit', mail('Subject: x', '', EIGHT)),
    'domain-base64': ('domain', mail(*mime('Content-Type: multipart/mixed; boundary=b', 'Content-Transfer-Encoding: base64'), '', '--b', '', 'x', '--b--')),
    'domain-8bit': ('domain', mail(*mime('Content-Type: multipart/mixed; boundary=b', 'Content-Transfer-Encoding: 8bit'), '', '--b', '', 'x', '--b--')),
    'domain-rfc822': ('domain', mail(*mime('Content-Type: message/rfc822', 'Content-Transfer-Encoding: quoted-printable'), '', 'Subject: inner', '', 'x')),
    'domain-partial': ('domain', mail(*mime('Content-Type: message/partial', 'Content-Transfer-Encoding: 8bit'), '', 'x')),
    'internal': ('internal', ['EHLO client.test', 'MAIL FROM:<"a b"@remote.test>', 'RCPT TO:<"b c"@golden.test>', 'DATA', 'Subject: x\r\n\r\nx\r\n.', 'QUIT']),
    'external': ('', ['EHLO client.test', 'MAIL FROM:<"a b"@remote.test>', 'RCPT TO:<"b c"@golden.test>', 'DATA', 'Subject: x\r\n\r\nx\r\n.', 'QUIT']),
}
SETTINGS = {
    '': '',
    'command': 'smtpd_command_filter = regexp:{folder}/filter\n',
    'trouble': 'smtpd_command_filter = fail:x\n',
    'strip': r'message_strip_characters = \001\002' + '\n',
    'strip-off': r'message_strip_characters = \001' + '\nreceive_override_options = no_header_body_checks\n',
    'strip-nul': r'message_strip_characters = \0' + '\n',
    'strip-letters': r'message_strip_characters = ~q' + '\n',
    'reject': r'message_reject_characters = \001' + '\n',
    'reject-off': r'message_reject_characters = \001' + '\nreceive_override_options = no_header_body_checks\n',
    'both': r'message_strip_characters = \1' + '\n' + r'message_reject_characters = \1\3' + '\n',
    'headers-7bit': 'strict_7bit_headers = yes\n',
    'body-8bit': 'strict_8bitmime_body = yes\n',
    'all-8bit': 'strict_8bitmime = yes\n',
    'domain': 'strict_mime_encoding_domain = yes\n',
    'internal': 'info_log_address_format = internal\n',
}


def run(system, pattern):
    outcomes = {}
    for settings in SETTINGS:
        wanted = {name: case for name, case in CASES.items() if case[0] == settings and fnmatch.fnmatch(name, pattern)}
        if not wanted:
            continue
        far = FarServer()
        with system(MAIN.replace('{{far}}', str(far.port)) + SETTINGS[settings], '', {'filter': FILTER.replace('$$', '$')}) as server:
            for name, (_, commands) in wanted.items():
                before, count = len(server.log()), len(far.messages)
                replies = talk(server.port, commands)
                lines = [masked(line) for line in replies]
                def log():
                    return server.log()[before:]
                wait_until(lambda: 'exit status' in log() or 'disconnect from' in log() and ('reject: ' in log() or not re.search(r' 550 5\.[67]', ' '.join(replies))), lambda: f'the end of {name}: {server.log()[-3000:]}')
                queued = re.search(r'queued as (\w+)', ' '.join(replies))
                if queued:
                    wait_until(lambda: f'{queued[1]}: removed' in log(), lambda: f'delivery of {name}: {server.log()[-3000:]}')
                    lines.append('content ' + repr(own_part(far.wait_for(count + 1)[count][2])))
                outcomes[name] = lines + told(log(), 'cleanup|smtpd|smtp|qmgr', r'reject|replac|warning|fatal|from=<|to=<')
    return outcomes


def own_outcomes():
    name = 'filter-auth'
    # Nobody's password stands in Ekiden's log.
    return {name: reference.recorded_at(RECORDED)[name].replace(' AGEAYg==', '')}


if __name__ == '__main__':
    is_recording, player, pattern = reference.player_of_some()
    outcomes = run(player, pattern)
    reference.conclude(RECORDED, {name: ' | '.join(lines) for name, lines in outcomes.items()}, is_recording, 'dialogues',
                       {} if is_recording else own_outcomes())
