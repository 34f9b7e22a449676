#!/usr/bin/env python3
"""Settings that few sites have, one after the other: what each makes of a message, compared with what Postfix 3.7.11 made of it.

  tests/compat/lesser_settings.py [--record] [PATTERN]

lesser_settings.txt has for each case the replies, what the next host heard and received, and the lines of the log that are about
it. --record runs Debian's Postfix instead, in private name spaces, and writes that file (root, and apt for the package).
"""
import fnmatch, os, re, sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
import reference
import told_dialogue
from instance import FarServer, overridden, wait_until
from told_dialogue import MAIN, mail, own_part, talk, told

RECORDED = os.path.join(ROOT, 'tests', 'compat', 'lesser_settings.txt')
HEAD = ['EHLO client.test', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<b@golden.test>', 'DATA']
PLAIN = mail('Subject: x', 'From: a@remote.test', '', 'x')
LOCAL = 'local_header_rewrite_clients = permit_mynetworks\n'
DEEP = ['MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary=one', '', '--one', 'Content-Type: multipart/mixed; boundary=two', '', '--two', 'Content-Type: message/rfc822', '',
        'Subject: inner', 'X-Inner: y', '', 'x', '--two--', '--one--']
RULES = 'inline:{{ {{b@golden.test=c@golden.test}} {{a@remote.test=d@remote.test}} }}'
# name: settings, commands
CASES = {
    'append-at-myorigin': ('append_at_myorigin = no\n', mail('Subject: x', '', 'x', sender='a', to='b')),
    'body-checks-size': ('body_checks = regexp:{{{{/bad/ REJECT bad}}}}\nbody_checks_size_limit = 20\n', mail('Subject: x', '', 'good ' * 8, 'bad')),
    'body-checks-in': ('body_checks = regexp:{{{{/bad/ REJECT bad}}}}\nbody_checks_size_limit = 200\n', mail('Subject: x', '', 'good ' * 8, 'bad')),
    'empty-recipient': ('empty_address_recipient = nobody\n', ['EHLO client.test', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<>', 'QUIT']),
    'header-size': ('header_size_limit = 40\n', mail('Subject: x', 'X-Long: ' + 'abcdefghij' * 10, ' folded', '', 'x')),
    'hopcount': ('hopcount_limit = 3\n', mail('Received: a', 'Received: b', 'Received: c', 'Subject: x', '', 'x')),
    'hopcount-below': ('hopcount_limit = 5\n', mail('Received: a', 'Received: b', 'Received: c', 'Subject: x', '', 'x')),
    'canonical-envelope': (LOCAL + f'canonical_maps = {RULES}\ncanonical_classes = envelope_recipient\n', mail('From: a@remote.test', 'To: b@golden.test', '', 'x')),
    'canonical-header': (LOCAL + f'canonical_maps = {RULES}\ncanonical_classes = header_sender\n', mail('From: a@remote.test', 'To: b@golden.test', '', 'x')),
    'sender-canonical': (LOCAL + f'sender_canonical_maps = {RULES}\nsender_canonical_classes = envelope_sender\n', mail('From: a@remote.test', 'To: b@golden.test', '', 'x')),
    'recipient-canonical': (LOCAL + f'recipient_canonical_maps = {RULES}\nrecipient_canonical_classes = header_recipient\n', mail('From: a@remote.test', 'To: b@golden.test', '', 'x')),
    'undisclosed': (LOCAL + 'undisclosed_recipients_header = To: hidden:;\n', mail('From: a@remote.test', 'Subject: x', 'Message-Id: <a@b>', 'Date: Mon, 23 Nov 2026 10:00:00 +0000', '', 'x')),
    'undisclosed-none': (LOCAL + 'undisclosed_recipients_header =\n', mail('From: a@remote.test', 'Subject: x', 'Message-Id: <a@b>', 'Date: Mon, 23 Nov 2026 10:00:00 +0000', '', 'x')),
    'drop-headers': ('message_drop_headers = x-foo, Subject\n', mail('X-FOO: 1', 'subject: x', 'Bcc: q@remote.test', 'Return-Path: <x>', 'X-Foobar: 2', '', 'x')),
    'nesting': ('mime_nesting_limit = 1\nstrict_8bitmime_body = yes\n', mail(*DEEP)),
    'nesting-fine': ('mime_nesting_limit = 5\nstrict_8bitmime_body = yes\n', mail(*DEEP)),
    'boundary-length': ('mime_boundary_length_limit = 2\nmime_header_checks = regexp:{{{{/X-Part/ REJECT seen}}}}\n',
                        mail('MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary=onetwo', '', '--onethree', 'X-Part: 1', '', 'x', '--onetwo--')),
    'nested-checks': ('nested_header_checks = regexp:{{{{/^X-Inner/ REJECT inner}}}}\n', mail(*DEEP)),
    'no-mime': ('disable_mime_input_processing = yes\nnested_header_checks = regexp:{{{{/^X-Inner/ REJECT inner}}}}\n', mail(*DEEP)),
    'untrusted-routing': ('relay_domains = relay.test\n', ['EHLO client.test', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<x%remote.test@golden.test>', 'RCPT TO:<@relay.test:x@golden.test>', 'QUIT']),
    'relay-recipient': ('relay_domains = relay.test\nrelay_recipient_maps = inline:{{ {{known@relay.test=x}} }}\nunknown_relay_recipient_reject_code = 551\n',
                        ['EHLO client.test', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<known@relay.test>', 'RCPT TO:<other@relay.test>', 'QUIT']),
    'virtual-mailbox': ('virtual_mailbox_domains = vm.test\nvirtual_mailbox_maps = inline:{{ {{known@vm.test=x}} }}\nunknown_virtual_mailbox_reject_code = 450\n',
                        ['EHLO client.test', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<known@vm.test>', 'RCPT TO:<other@vm.test>', 'QUIT']),
    'virtual-alias': ('virtual_alias_domains = va.test\nvirtual_alias_maps = inline:{{ {{known@va.test=b@golden.test}} }}\nunknown_virtual_alias_reject_code = 552\n',
                      ['EHLO client.test', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<known@va.test>', 'RCPT TO:<other@va.test>', 'QUIT']),
    'permit-logged': ('smtpd_log_access_permit_actions = permit_mynetworks\n', ['EHLO client.test', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<b@golden.test>', 'QUIT']),
    'permit-static': ('smtpd_log_access_permit_actions = static:all\nsmtpd_helo_restrictions = permit\n', ['EHLO client.test', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<b@golden.test>', 'QUIT']),
    'null-key': ('smtpd_null_access_lookup_key = none\nsmtpd_sender_restrictions = check_sender_access inline:{{ {{none=REJECT null}} }}\n', ['EHLO client.test', 'MAIL FROM:<>', 'RCPT TO:<b@golden.test>', 'QUIT']),
    'verp': ('smtpd_authorized_verp_clients = 127.0.0.1\ndefault_verp_delimiters = -=\n',
             ['EHLO client.test', 'MAIL FROM:<list@golden.test> XVERP', 'RCPT TO:<b@remote.test>', 'DATA', 'Subject: x\r\n\r\nx\r\n.', 'QUIT']),
    'verp-filter': ('smtpd_authorized_verp_clients = 127.0.0.1\nverp_delimiter_filter = -=+#\n', ['EHLO client.test', 'MAIL FROM:<list@golden.test> XVERP=!=', 'MAIL FROM:<list@golden.test> XVERP=#=', 'QUIT']),
    'policy-default': ('smtpd_recipient_restrictions = check_policy_service {{ inet:127.0.0.1:9, {{ default_action = 450 4.7.9 busy }}, try_limit=1 }}, permit\n', HEAD[:3] + ['QUIT']),
    'policy-dunno': ('smtpd_policy_service_default_action = DUNNO\nsmtpd_policy_service_try_limit = 1\nsmtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:9, permit\n', HEAD[:3] + ['QUIT']),
    'policy-problem': ('smtpd_policy_service_try_limit = 1\nsmtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:9, permit\n', HEAD[:3] + ['QUIT']),
    'unverified': ('smtpd_recipient_restrictions = reject_unverified_recipient, permit\nunverified_recipient_reject_code = 553\nunverified_recipient_reject_reason = not there\n',
                   ['EHLO client.test', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<no@golden.test>', 'RCPT TO:<b@golden.test>', 'QUIT']),
    'unverified-sender': ('smtpd_sender_restrictions = reject_unverified_sender\nunverified_sender_reject_code = 551\nunverified_sender_reject_reason = who\n',
                          ['EHLO client.test', 'MAIL FROM:<no@remote.test>', 'RCPT TO:<b@golden.test>', 'QUIT']),
    'unverified-later': ('smtpd_recipient_restrictions = reject_unverified_recipient, permit\nunverified_recipient_defer_code = 451\nunverified_recipient_tempfail_action = defer\n',
                         ['EHLO client.test', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<later@golden.test>', 'QUIT']),
    'unverified-at-data': ('smtp_address_verify_target = data\nsmtpd_recipient_restrictions = reject_unverified_recipient, permit\nunverified_recipient_reject_code = 550\n',
                           ['EHLO client.test', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<b@golden.test>', 'RCPT TO:<nodata@golden.test>', 'QUIT']),
    'double-bounce': ('double_bounce_sender = prober\nsmtpd_recipient_restrictions = reject_unverified_recipient, permit\n', HEAD[:3] + ['QUIT']),
    'line-length': ('smtp_line_length_limit = 50\n', mail('Subject: x', '', 'x' * 120)),
    'line-length-none': ('smtp_line_length_limit = 0\n', mail('Subject: x', '', 'x' * 1200)),
    'never-ehlo': ('smtp_never_send_ehlo = yes\n', PLAIN),
    'not-always-ehlo': ('smtp_always_send_ehlo = no\n', PLAIN),
    'helo-name': ('smtp_helo_name = other.test\n', PLAIN),
    'quote': ('smtp_quote_rfc821_envelope = no\n', ['EHLO client.test', 'MAIL FROM:<"a b"@remote.test>', 'RCPT TO:<"c d"@golden.test>', *PLAIN[3:]]),
    'client-checks': ('smtp_header_checks = regexp:{{{{/^Subject: (.*)/ REPLACE Subject: [$$1]}}}}\nsmtp_nested_header_checks = regexp:{{{{/^X-Inner/ IGNORE}}}}\n'
                      'smtp_mime_header_checks = regexp:{{{{/message.rfc822/ PREPEND X-Part: yes}}}}\nsmtp_body_checks = regexp:{{{{/^x$$/ REPLACE y}}}}\n', mail('Subject: x', *DEEP)),
    'dummy-auth': ('smtp_send_dummy_mail_auth = yes\n', PLAIN),
    'no-8bitmime': ('smtp_discard_ehlo_keywords = 8bitmime, pipelining\n', mail('MIME-Version: 1.0', 'Content-Type: text/plain', 'Content-Transfer-Encoding: 8bit', '', 'S\u00fcbject')),
    'no-conversion': ('smtp_discard_ehlo_keywords = 8bitmime\ndisable_mime_output_conversion = yes\n', mail('MIME-Version: 1.0', 'Content-Type: text/plain', 'Content-Transfer-Encoding: 8bit', '', 'S\u00fcbject')),
    'resolution': ('delay_logging_resolution_limit = 0\n', PLAIN),
    'always-add': ('always_add_missing_headers = yes\n', mail('Subject: x', '', 'x')),
    'remote-domain': ('remote_header_rewrite_domain = invalid.test\n', mail('From: a', 'To: b', '', 'x')),
    'sender-relayhost-key': ('sender_dependent_relayhost_maps = inline:{{ {{none=[127.0.0.1]:{far}}} }}\nempty_address_relayhost_maps_lookup_key = none\ndefault_transport = smtp\nrelayhost = [127.0.0.1]:9\n',
                             mail('Subject: x', '', 'x', sender='', to='b@remote.test')),
    'default-transport-key': ('sender_dependent_default_transport_maps = inline:{{ {{none=smtp:[127.0.0.1]:{far}}} }}\nempty_address_default_transport_maps_lookup_key = none\n'
                              'default_transport = smtp:[127.0.0.1]:9\n', mail('Subject: x', '', 'x', sender='', to='b@remote.test')),
    'hide-received': ('header_checks = regexp:{{{{/^Received: from/ IGNORE}}}}\n', PLAIN),
}
VARYING = [(r'(?<=; )\w{3}, \d+ \w{3} \d{4} [\d:]+ \+0000 \(UTC\)', 'DATE'),
           (r'\w{3}, +\d+ \w{3} 20\d\d [\d:]+ \+0000(?: \(UTC\))?', 'DATE'), (r'<\d{14}\.\w+@', '<ID@')]


def masked(text):
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return told_dialogue.masked(text)


def run(system, pattern):
    outcomes = {}
    for name, (settings, commands) in CASES.items():
        if not fnmatch.fnmatch(name, pattern):
            continue
        far = FarServer(answers={'RCPT TO:<no@': '550 5.1.1 nobody', 'MAIL FROM:<no@': '550 5.1.1 nobody', 'RCPT TO:<later': '450 4.2.0 later'})
        with system(overridden(MAIN, settings).replace('{{far}}', str(far.port)).replace('{far}', str(far.port)), '', {}) as server:
            before = len(server.log())
            replies = talk(server.port, commands)
            def log():
                return server.log()[before:]
            wait_until(lambda: re.search(r'disconnect from \S+ ehlo|exit status', log()), lambda: f'the end of {name}: {server.log()[-3000:]}')
            queued = re.search(r'queued as (\w+)', ' '.join(replies))
            lines = [masked(line) for line in replies[1:]]
            if queued:
                wait_until(lambda: f'{queued[1]}: removed' in log() or 'status=deferred' in log(), lambda: f'delivery of {name}: {server.log()[-3000:]}')
            for command in far.commands:
                command = command.decode() if isinstance(command, bytes) else command
                if re.match('(EHLO|HELO|MAIL|RCPT)', command):
                    lines.append('far ' + masked(re.sub(r' SIZE=\d+', ' SIZE', command)))
            for _, _, content in far.messages:
                lines.append('content ' + repr(masked(own_part(content).decode('utf-8', 'surrogateescape'))))
            outcomes[name] = lines + [masked(line) for line in told(log(), 'cleanup|smtpd|smtp', r'reject|permit|warning|fatal|from=<|to=<')]
    return outcomes


if __name__ == '__main__':
    is_recording, player, pattern = reference.player_of_some()
    outcomes = run(player, pattern)
    reference.conclude(RECORDED, {name: ' | '.join(lines) for name, lines in outcomes.items()}, is_recording, 'settings')
