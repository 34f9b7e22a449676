"""`smtpd -v`, and debug_peer_list for chosen clients, log each command and each line of the replies; no password is among them."""
import base64
from instance import Instance, expect

SECRET = base64.b64encode(b'\0alice\0very secret').decode()


def lines(mail):
    return [line.split(']: ', 1)[1] for line in mail.log().splitlines() if ']: < ' in line or ']: > ' in line]


with Instance(main='debug_peer_list = 127.0.0.9\nsmtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = ekiden\n') as mail:
    with mail.dialogue() as quiet:
        quiet.say('NOOP')
    expect(lines(mail), [], 'lines about a client that nobody asked for')
    with mail.dialogue(source='127.0.0.9') as c:
        c.say('HELO client.test')
        c.say('AUTH PLAIN ' + SECRET)
        c.say('RCPT TO:<>')
        c.say('QUIT')
    mail.wait_for_log(r'> \S+: 221 2\.0\.0 Bye')
    label = lines(mail)[0].split()[1]
    said = [line.replace(f' {label}', '') for line in lines(mail)]
    expect(said[:4], ['> 220 mail.example.test ESMTP Postfix', '< HELO client.test', '> 250 mail.example.test', '< AUTH PLAIN'], 'the dialogue')
    expect(said[-4:], ['< RCPT TO:<>', '> 503 5.5.1 Error: need MAIL command', '< QUIT', '> 221 2.0.0 Bye'], 'its end')
    expect(SECRET in mail.log(), False, 'the password stands in the log')
