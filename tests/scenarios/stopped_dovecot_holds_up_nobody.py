"""A Dovecot that does not answer any more costs those who log in a bounded time and a 454, and nobody else any time."""
import base64, signal
from dovecot import Dovecot
from instance import Instance, expect

PLAIN = 'AUTH PLAIN ' + base64.b64encode(b'\0bob\0secret of bob').decode()
with Dovecot() as dovecot, Instance(main=dovecot.main()) as mail:
    with mail.dialogue() as c:
        c.say('EHLO client.test')
        expect(c.say(PLAIN), '235 2.7.0 Authentication successful', 'a login before')
    waiting = [mail.dialogue() for _ in range(20)]
    for c in waiting:
        c.socket.settimeout(60)
        c.say('EHLO client.test')
    dovecot.signal_auth(signal.SIGSTOP)
    for c in waiting:
        c.send(PLAIN + '\r\n')
    mail.send()
    mail.wait_for_mail('alice')
    expect([c for c in waiting if not c.still_waits()], [], 'those who had an answer before the mail was delivered')
    for c in waiting:
        expect(c.reply(), '454 4.7.0 Temporary authentication failure: Connection lost to authentication server', 'the answer to a login')
        c.close()
    dovecot.signal_auth(signal.SIGCONT)
    with mail.dialogue() as c:
        c.say('EHLO client.test')
        expect(c.say(PLAIN), '235 2.7.0 Authentication successful', 'a login afterwards')
