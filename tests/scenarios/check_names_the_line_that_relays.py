"""`postfix check` finds the line through which strangers could relay, and what it says is what happens."""
import json

from instance import Instance, expect, expect_match


def relays(mail):
    """whether a foreign recipient is taken; the client is on the loopback, which mynetworks leaves out"""
    with mail.smtp() as client:
        client.ehlo()
        client.mail('somebody@stranger.test')
        return client.rcpt('other@foreign.test')[0] == 250


CASES = [
    ('mynetworks = 192.0.2.0/24', 'closed', None),
    ('mynetworks = 192.0.2.0/24\nsmtpd_relay_restrictions = permit_mynetworks\n  check_sender_access static:OK\n  reject_unauth_destination',
     'open', r'main\.cf, line \d+: check_sender_access static:OK'),
    ('mynetworks = 192.0.2.0/24, 0.0.0.0/0', 'open', r'main\.cf, line \d+: permit_mynetworks: mynetworks = 0\.0\.0\.0/0 is everybody'),
]
for lines, verdict, reason in CASES:
    with Instance(start=False, main=lines + '\n') as mail:
        found = [json.loads(line) for line in mail.run('postfix', 'check', '--json').stdout.splitlines()]
        proofs = [entry for entry in found if entry['severity'] == 'proof']
        expect([entry['verdict'] for entry in proofs], [verdict], f'the verdict about "{lines}"')
        warned = [entry for entry in found if 'OPEN RELAY' in entry['text']]
        expect(len(warned), int(verdict == 'open'), f'the warnings about "{lines}"')
        expect_match(r'relaying for strangers through service \S+ inet: ' + verdict, mail.run('postfix', 'check', '-v').stdout, 'the proof')
        # The start is not refused, as Postfix would not; the terminal says it.
        said = mail.start().stderr
        if reason:
            expect_match('OPEN RELAY.*' + reason, said, 'what the start says')
        expect(relays(mail), verdict == 'open', f'what happens with "{lines}"')
