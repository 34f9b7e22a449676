"""postfix check reads access tables and header_checks entry by entry: a slip in an action is named with the line of the table, or
with its key where only the index is there. A start does not wait for that, and the client is answered as Postfix answers."""
import json
import os

from instance import Instance, expect, expect_match


def findings(mail):
    output = mail.run('postfix', 'check', '--json').stdout
    return [entry for entry in map(json.loads, output.splitlines()) if entry['severity'] != 'proof']


def told(mail):
    return [(entry['severity'], entry['file'].replace(mail.config, '@'), entry['line'], entry['advice']) for entry in findings(mail)]


ACCESS = 'good.test OK\n# remark\nbad.test REJCT go away\nshut.test\n    DENY\nstrict.test permit_mynetwork, reject\nfine.test 550 no\n'
HEADERS = '/^Subject: .*casino/ REJECT no\n/^X-Spam: yes/ DROP\n/^X-To: (.*)/ REDIRECT $1\n'

with Instance(start=False, files={'senders': ACCESS, 'headers': HEADERS}) as mail:
    mail.set(f'smtpd_sender_restrictions = check_sender_access hash:{mail.config}/senders\n'
             f'header_checks = regexp:{mail.config}/headers\n')
    mail.run('postmap', f'hash:{mail.config}/senders')
    expect(told(mail), [
        ('warning', '@/senders', 3, 'is REJECT meant?'),
        ('warning', '@/senders', 4, 'is REJECT meant?'),
        ('warning', '@/senders', 6, 'is permit_mynetworks meant?'),
        ('warning', '@/headers', 2, 'is DISCARD meant?'),
    ], 'what check finds')
    expect_match(r'/senders, line 3: smtpd_sender_restrictions: bad\.test: unknown smtpd restriction: "REJCT", answered with 451 4\.3\.5: is REJECT meant\?',
                 mail.run('postfix', 'check').stderr, 'what it says')

    started = mail.start()
    expect('senders' in started.stderr + mail.log(), False, 'said at the start')
    with mail.smtp() as client:
        client.ehlo('client.test')
        client.mail('a@bad.test')
        expect(client.rcpt('alice@example.test')[0], 451, 'the answer')

    # Without the text the key has to do.
    os.remove(f'{mail.config}/senders')
    shown = mail.run('postfix', 'check').stderr
    expect_match(r'/senders\.db: smtpd_sender_restrictions: bad\.test: unknown smtpd restriction: "REJCT"', shown, 'the key in the index')

    mail.write('senders', ACCESS.replace('REJCT', 'REJECT').replace('DENY', 'REJECT').replace('permit_mynetwork,', 'permit_mynetworks,'))
    mail.write('headers', HEADERS.replace('DROP', 'DISCARD'))
    mail.run('postmap', f'hash:{mail.config}/senders')
    expect(told(mail), [], 'what is found once all is mended')
