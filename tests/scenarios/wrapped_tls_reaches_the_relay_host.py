"""smtp_tls_wrappermode: TLS from the first byte, with the login inside, as providers want it on port 465."""
from certificates import Certificates
from instance import Instance, expect
from secure_server import SecureServer

with Instance(start=False) as mail:
    made = Certificates(mail.folder)
    made.make('far', cn='far.test')
    far = SecureServer(certificate=(made.path('far.pem'), made.path('far.key')), wrapped=True, users={'u': 'p'}, mechanisms='PLAIN LOGIN')
    mail.set(f'relayhost = [127.0.0.1]:{far.port}\nsmtp_tls_wrappermode = yes\nsmtp_tls_security_level = encrypt\nsmtp_sasl_auth_enable = yes\n'
             'smtp_sasl_tls_security_options = noanonymous\nsmtp_sasl_password_maps = static:u:p\n')
    mail.start()
    mail.send(to=['b@far.test'])
    mail.wait_for_log(r'status=sent')
    expect(far.logins, [('PLAIN', 'u')], 'the login inside TLS')
    expect([line for line, encrypted in far.seen if not encrypted], [], 'what was said in the open')
