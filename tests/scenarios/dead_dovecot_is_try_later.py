"""A Dovecot that dies, between two logins or in the middle of one, is answered with 454; mail that needs no login goes on,
and a Dovecot that comes back is used without a reload. One that was never there is not announced."""
import base64
from dovecot import Dovecot
from instance import Instance, expect, expect_match

TRY_LATER = '454 4.7.0 Temporary authentication failure: Connection lost to authentication server'
PLAIN = 'AUTH PLAIN ' + base64.b64encode(b'\0bob\0secret of bob').decode()
with Dovecot() as dovecot:
    dovecot.stop()
    with Instance(main=dovecot.main()) as mail:
        with mail.dialogue() as c:
            expect('AUTH' in c.say('EHLO client.test'), False, 'EHLO before Dovecot was ever there')
            expect(c.say(PLAIN), TRY_LATER, 'a login before Dovecot was ever there')
        mail.wait_for_log(r"warning: SASL: Connect to Dovecot auth socket '.*auth-client' failed: No such file or directory$")
        mail.send()
        dovecot.start()
        with mail.dialogue() as c:
            expect_match('^250-AUTH PLAIN LOGIN', c.say('EHLO client.test'), 'EHLO now that it is there')
            expect(c.say('AUTH LOGIN'), '334 VXNlcm5hbWU6', 'the begin of a login')
            dovecot.stop()
            expect(c.say(base64.b64encode(b'bob').decode()), TRY_LATER, 'the end of that login')
            expect_match('^250-AUTH PLAIN LOGIN', c.say('EHLO client.test'), 'EHLO while it is away: what it could do it will do again')
            expect(c.say(PLAIN), TRY_LATER, 'a login while it is away')
            dovecot.start()
            expect(c.say(PLAIN), '235 2.7.0 Authentication successful', 'a login when it is back')
        mail.wait_for_log(r'warning: localhost\[127\.0\.0\.1\]: SASL LOGIN authentication failed: Connection lost to authentication server, sasl_username=\(unavailable\)$')
        mail.wait_for_mail('alice')
