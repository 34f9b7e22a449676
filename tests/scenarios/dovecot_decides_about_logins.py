"""Clients log in with every mechanism that Dovecot has and the site allows; who has may relay, and the log, the Received
line and the disconnect line say so as Postfix does. A wrong password is refused with 535 and logged."""
import base64
from dovecot import Dovecot
from instance import FarServer, Instance, expect, expect_match

PLAIN = base64.b64encode(b'\0alice@example.test\0secret of alice').decode()
far = FarServer()
with Dovecot() as dovecot, Instance(main=dovecot.main() + f'''mynetworks = 192.0.2.1
broken_sasl_auth_clients = yes
smtpd_sasl_authenticated_header = yes
relayhost = [127.0.0.1]:{far.port}
''') as mail:
    with mail.dialogue() as c:
        # ANONYMOUS is what smtpd_sasl_security_options forbids unless a site says otherwise
        expect_match(r'^250-AUTH PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-256\n250-AUTH=PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-256\n250-ENH', c.say('EHLO client.test'), 'EHLO')
        c.say('MAIL FROM:<alice@example.test>')
        expect(c.say('RCPT TO:<x@far.test>')[:9], '454 4.7.1', 'relaying without a login')
        expect(c.say('AUTH PLAIN ' + PLAIN), '503 5.5.1 Error: MAIL transaction in progress', 'a login in between')
        c.say('RSET')
        expect(c.say('AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3cm9uZw=='), '535 5.7.8 Error: authentication failed: (reason unavailable)', 'a wrong password')
        expect(c.say('AUTH ANONYMOUS YQ=='), '535 5.7.8 Error: authentication failed: Invalid authentication mechanism', 'a mechanism that is not allowed')
        expect(c.say('AUTH LOGIN'), '334 VXNlcm5hbWU6', 'LOGIN')
        expect(c.say('*'), '501 5.7.0 Authentication aborted', 'a login that is given up')
        expect(c.say('AUTH login'), '334 VXNlcm5hbWU6', 'LOGIN')
        expect(c.say(base64.b64encode(b'bob').decode()), '334 UGFzc3dvcmQ6', 'the name')
        expect(c.say(base64.b64encode(b'secret of bob').decode()), '235 2.7.0 Authentication successful', 'the password')
        expect(c.say('AUTH PLAIN ' + PLAIN), '503 5.5.1 Error: already authenticated', 'a second login')
        c.say('MAIL FROM:<bob@example.test> AUTH=bob+2Bx@example.test')
        expect(c.say('RCPT TO:<x@far.test>'), '250 2.1.5 Ok', 'relaying with a login')
        c.say('DATA')
        expect_match(r'^250 2\.0\.0 Ok: queued', c.say('Subject: x\r\n\r\nx\r\n.'), 'the message')
        c.say('QUIT')
    expect_match(r'\(Authenticated sender: bob as bob\+2Bx@example\.test\)\s+by mail\.example\.test \(Postfix\) with ESMTPA id', far.wait_for()[0][2].decode(), 'the Received line')
    mail.wait_for_log(r': client=localhost\[127\.0\.0\.1\], sasl_method=login, sasl_username=bob, sasl_sender=bob\+2Bx@example\.test$')
    mail.wait_for_log(r'warning: localhost\[127\.0\.0\.1\]: SASL PLAIN authentication failed: \(reason unavailable\), sasl_username=alice@example\.test$')
    mail.wait_for_log(r'warning: localhost\[127\.0\.0\.1\]: SASL LOGIN authentication aborted$')
    mail.wait_for_log(r'disconnect from localhost\[127\.0\.0\.1\] ehlo=1 auth=1/6 mail=2 rcpt=1/2 data=1 rset=1 quit=1 commands=8/14$')
    for mechanism, method in (('PLAIN', 'auth_plain'), ('LOGIN', 'auth_login'), ('CRAM-MD5', 'auth_cram_md5')):
        with mail.smtp() as s:
            s.ehlo()
            s.user, s.password = 'alice@example.test', 'secret of alice'
            expect(s.auth(mechanism, getattr(s, method))[0], 235, mechanism)
