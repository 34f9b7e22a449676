"""A client that a block list names is refused with the list's text, one that an allow list names passes; lists that fail,
are silent or refuse to answer name nobody and are complained about; all are asked at the same time, and once."""
from instance import Instance, expect

ROWS = {('2.0.0.127.listed.test', 'A'): ['127.0.0.4'], ('2.0.0.127.listed.test', 'TXT'): ['see http://listed.test/?127.0.0.2'],
        ('3.0.0.127.closed.test', 'A'): ['127.255.255.254'], ('3.0.0.127.many.test', 'A'): ['127.0.0.10'], ('4.0.0.127.allowed.test', 'A'): ['127.0.0.2'],
        ('4.0.0.127.listed.test', 'A'): ['127.0.0.2'], ('ns.test', 'A'): ['127.0.0.1']}
MAIN = '''\
smtpd_client_restrictions = permit_dnswl_client allowed.test,
    reject_rbl_client dead.test, reject_rbl_client silent-a.test, reject_rbl_client silent-b.test,
    reject_rbl_client closed.test, reject_rbl_client many.test=127.0.0.[2..8], reject_rbl_client listed.test=127.0.0.[2;4..8]
'''


def attempt(mail, source):
    with mail.dialogue(source=source) as d:
        d.say('EHLO client.test')
        d.say('MAIL FROM:<a@remote.test>')
        return d.say('RCPT TO:<alice@example.test>')


with Instance(main=MAIN, zone=ROWS) as mail:
    mail.zone.negative_ttl = 300
    for last in (2, 3):
        mail.zone.failing.add(f'{last}.0.0.127.dead.test')
        mail.zone.silent |= {f'{last}.0.0.127.silent-a.test', f'{last}.0.0.127.silent-b.test'}
    reply = attempt(mail, '127.0.0.2')
    expect(reply, '554 5.7.1 Service unavailable; Client host [127.0.0.2] blocked using listed.test; see http://listed.test/?127.0.0.2', 'a listed client')
    # A silent name server is asked again; who asks one list after the other asks the first again before the second.
    names = [name for name, _ in mail.zone.asked if name.startswith('2.0.0.127.silent-')]
    expect(sorted(names[:2]), ['2.0.0.127.silent-a.test', '2.0.0.127.silent-b.test'], 'the first questions to the silent lists')
    expect(len(names) > 2, True, f'they were asked again: {names}')
    again = attempt(mail, '127.0.0.4')
    expect(again, '250 2.1.5 Ok', 'a client on the allow list')

    reply = attempt(mail, '127.0.0.3')
    expect(reply, '250 2.1.5 Ok', 'a client that is on no list')
    for name in ('3.0.0.127.dead.test', '3.0.0.127.silent-a.test', '3.0.0.127.silent-b.test'):
        mail.wait_for_log(rf'warning: {name}: RBL lookup error: Host or domain name not found\. Name service error for name={name} type=A: Host not found, try again')
    mail.wait_for_log(r'warning: 3\.0\.0\.127\.closed\.test: RBL lookup error: .*127\.255\.255\.254')
    expect('reject: RCPT from unknown[127.0.0.3]' in mail.log(), False, 'a refusal of the client that is on no list')

    # What was answered is kept for its time, also that somebody is not listed.
    mail.zone.silent.clear()
    before = [q for q in mail.zone.asked if q[0].endswith(('listed.test', 'many.test', 'closed.test', 'allowed.test'))]
    for source in ('127.0.0.2', '127.0.0.3', '127.0.0.4'):
        attempt(mail, source)
    after = [q for q in mail.zone.asked if q[0].endswith(('listed.test', 'many.test', 'closed.test', 'allowed.test'))]
    expect(after, before, 'questions to lists that have answered')
    expect(len(set(after)), len(after), f'each question was asked once: {after}')
