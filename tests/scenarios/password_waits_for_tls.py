"""A password may travel as it is inside TLS, and only there: the options for TLS are others than those without it."""
from certificates import Certificates
from instance import Instance, expect
from secure_server import SecureServer

with Instance(start=False) as mail:
    made = Certificates(mail.folder)
    made.make('far', cn='far.test')
    pair = (made.path('far.pem'), made.path('far.key'))
    secure = SecureServer(certificate=pair, users={'u': 'p'}, mechanisms='', encrypted_mechanisms='PLAIN')
    plain = SecureServer(users={'u': 'p'}, mechanisms='PLAIN')
    mail.set('smtp_tls_security_level = may\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_tls_security_options = noanonymous\nsmtp_sasl_password_maps = static:u:p\n'
             f'transport_maps = inline:{{ secure.test=smtp:[127.0.0.1]:{secure.port} plain.test=smtp:[127.0.0.1]:{plain.port} }}\n')
    mail.start()
    mail.send(to=['b@secure.test'])
    mail.wait_for_log(r'to=<b@secure\.test>.*status=sent')
    expect(secure.logins, [('PLAIN', 'u')], 'the login')
    mail.send(to=['b@plain.test'])
    mail.wait_for_log(r'to=<b@plain\.test>.*dsn=4\.7\.0, status=deferred \(SASL authentication failed; cannot authenticate to server \S+: no mechanism available\)')
    expect(any(line.startswith('AUTH') for line in plain.commands), False, 'a password in the open')
