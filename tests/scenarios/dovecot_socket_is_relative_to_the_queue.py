"""smtpd_sasl_path = private/auth, as every guide has it, is a socket below queue_directory; a reload may name another one
while somebody is logging in."""
import base64, os
from dovecot import Dovecot
from instance import Instance, expect, wait_until

PLAIN = 'AUTH PLAIN ' + base64.b64encode(b'\0bob\0secret of bob').decode()
OK = '235 2.7.0 Authentication successful'
with Dovecot() as dovecot, Instance(main=dovecot.main('private/auth')) as mail:
    os.symlink(dovecot.socket, os.path.join(mail.spool, 'private', 'auth'))
    with mail.dialogue() as c, mail.dialogue() as old:
        expect(c.say(PLAIN), OK, 'a login at private/auth')
        expect(old.say('AUTH LOGIN'), '334 VXNlcm5hbWU6', 'the begin of a login')
        mail.set('smtpd_sasl_path = private/other\n')
        mail.run('postfix', 'reload')
        mail.wait_for_log('reload -- version')
        expect(old.say('Ym9i'), '334 UGFzc3dvcmQ6', 'its middle, after the reload')
        expect(old.say('c2VjcmV0IG9mIGJvYg=='), OK, 'its end')

    def answer():
        with mail.dialogue() as d:
            return d.say(PLAIN)[:3]
    wait_until(lambda: answer() == '454', 'the new settings')
    os.symlink(dovecot.socket, os.path.join(mail.spool, 'private', 'other'))
    expect(answer(), '235', 'a login at private/other')
