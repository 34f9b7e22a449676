"""smtp_tls_security_level = encrypt: whatever the far side does instead of TLS, not a word of the mail goes out in the open."""
from certificates import Certificates
from instance import Instance
from secure_server import SecureServer

peer = r'127\.0\.0\.1\[127\.0\.0\.1\]'
no_handshake = r'dsn=4\.7\.5, status=deferred \(Cannot start TLS: handshake failure\)'
cases = [
    (None, rf'dsn=4\.7\.4, status=deferred \(TLS is required, but was not offered by host {peer}\)'),
    (dict(starttls_answer='454 4.7.0 not now'), rf'dsn=4\.7\.0, status=deferred \(TLS is required, but host {peer} refused to start TLS: 454 4\.7\.0 not now\)'),
    (dict(starttls_answer='502 5.5.1 no'), rf'dsn=5\.5\.1, status=bounced \(TLS is required, but host {peer} refused to start TLS: 502 5\.5\.1 no\)'),
    (dict(fails='STARTTLS'), rf'dsn=4\.4\.2, status=deferred \(lost connection with {peer} while receiving the STARTTLS response\)'),
    (dict(fails='handshake'), no_handshake),
    (dict(fails='garbage'), no_handshake),
    (dict(fails='second EHLO'), rf'dsn=4\.4\.2, status=deferred \(lost connection with {peer} while performing the EHLO handshake\)'),
]
for behaviour, want in cases:
    with Instance(start=False) as mail:
        made = Certificates(mail.folder)
        made.make('far', cn='far.test')
        far = SecureServer(certificate=behaviour is not None and (made.path('far.pem'), made.path('far.key')) or None, **(behaviour or {}))
        mail.set(f'smtp_tls_security_level = encrypt\nminimal_backoff_time = 1s\nrelayhost = [127.0.0.1]:{far.port}\n')
        mail.start()
        mail.send(to=['b@far.test'])
        mail.wait_for_log(want)
        if any(line.startswith('MAIL') for line in far.commands):
            raise SystemExit(f'mail without TLS: {far.commands}')
        far.close()
