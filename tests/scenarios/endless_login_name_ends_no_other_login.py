"""Logins share a connection to the server that decides about them. A client that calls itself something of thousands of bytes, or
answers with more than the server's lines may hold, is refused alone: those who are about to log in do so."""
import base64
from cyrus import ENABLED, add_user, need, smtpd_conf
from dovecot import Dovecot
from instance import Dialogue, Instance, expect, free_port

need('saslpasswd2')


def b64(text):
    return base64.b64encode(text.encode()).decode()


BOB, PASSWORD = 'bob', 'secret of bob'
dovecot_port = free_port()
with Dovecot() as dovecot, Instance(main=ENABLED + '''smtpd_sasl_response_limit = 200000
smtpd_error_sleep_time = 0
''', master=f'''127.0.0.1:{dovecot_port} inet n - n - - smtpd -o smtpd_sasl_type=dovecot -o smtpd_sasl_path={dovecot.socket}
''', start=False) as mail:
    add_user(f'{mail.folder}/db/sasldb2', BOB, PASSWORD, owner=mail.owner)
    smtpd_conf(mail, f'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {mail.folder}/db/sasldb2\nmech_list: PLAIN LOGIN\n')
    mail.start()
    for port in (mail.port, dovecot_port):
        for length in (1100, 5000, 9000, 60000, 140000):
            # LOGIN asks twice: the honest one stands between the questions while the other one is refused. Which core has
            # whom is chance; so there are several of them.
            honest = [Dialogue(port) for _ in range(8)]
            for c in honest:
                c.say('EHLO client.test')
                expect(c.say('AUTH LOGIN'), '334 VXNlcm5hbWU6', 'a login begins')
            for _ in range(4):
                with Dialogue(port) as c:
                    c.say('EHLO client.test')
                    c.say('AUTH PLAIN')
                    # libsasl2 calls it "generic failure" where a name is too long for a buffer of its own
                    expect(c.say(b64('\0' + 'u' * length + '\0x'))[:3] in ('535', '454'), True, f'a name of {length} bytes is refused')
            for c in honest:
                expect(c.say(b64(BOB)), '334 UGFzc3dvcmQ6', 'the name')
                expect(c.say(b64(PASSWORD))[:3], '235', 'the password')
                c.close()
    expect('u' * 1100 in mail.log(), False, 'a log line of thousands of bytes')
