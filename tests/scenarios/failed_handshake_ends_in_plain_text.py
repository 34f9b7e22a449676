"""smtp_tls_security_level = may: when the handshake fails the mail waits first; once it is older than minimal_backoff_time it
goes in plain text, unless there is a login to protect."""
from certificates import Certificates
from instance import Instance, expect
from secure_server import SecureServer

with Instance(start=False) as mail:
    made = Certificates(mail.folder)
    made.make('far', cn='far.test')
    pair = (made.path('far.pem'), made.path('far.key'))
    far = SecureServer(certificate=pair, fails='handshake')
    guarded = SecureServer(certificate=pair, fails='handshake', users={'u': 'p'}, mechanisms='PLAIN')
    mail.set('smtp_tls_security_level = may\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\nsmtp_sasl_auth_enable = yes\n'
             f'smtp_sasl_security_options = noanonymous\nsmtp_sasl_password_maps = inline:{{ [127.0.0.1]:{guarded.port}=u:p }}\n'
             f'transport_maps = inline:{{ far.test=smtp:[127.0.0.1]:{far.port} guarded.test=smtp:[127.0.0.1]:{guarded.port} }}\n')
    mail.start()
    mail.send(to=['b@guarded.test'])
    mail.send(to=['b@far.test'])
    mail.wait_for_log(r'to=<b@far\.test>.*dsn=4\.7\.5, status=deferred \(Cannot start TLS: handshake failure\)')
    mail.wait_for_log(r'\w+: Cannot start TLS: handshake failure\n')
    mail.wait_for_log(r'to=<b@far\.test>.*status=sent')
    expect(far.messages[0][-1], False, 'inside TLS')
    mail.wait_for_log(r'to=<b@guarded\.test>.*status=deferred \(Cannot start TLS: handshake failure\)')
    expect(guarded.logins, [], 'logins in plain text')
