"""A login that is refused, cannot be made or breaks off is no reason to lose the mail: it waits, and the log says why."""
from instance import Instance
from secure_server import SecureServer

options = 'smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = static:user:wrong\nsmtp_sasl_security_options = noanonymous\n'
peer = r'127\.0\.0\.1\[127\.0\.0\.1\]'
cases = [
    (dict(), '', rf'dsn=4\.7\.8, status=deferred \(SASL authentication failed; server {peer} said: 535 5\.7\.8 authentication failed\)'),
    (dict(), 'smtp_sasl_auth_soft_bounce = no\n', r'dsn=5\.7\.8, status=bounced \(SASL authentication failed; server'),
    (dict(auth_answer='454 4.7.0 later'), '', rf'dsn=4\.7\.0, status=deferred \(SASL authentication failed; server {peer} said: 454 4\.7\.0 later\)'),
    (dict(fails='AUTH'), '', rf'dsn=4\.4\.2, status=deferred \(lost connection with {peer} while performing the EHLO handshake\)'),
    (dict(fails='challenge', mechanisms='CRAM-MD5'), '', rf'dsn=4\.7\.0, status=deferred \(SASL authentication failed; cannot authenticate to server {peer}: bad protocol / cancel\)'),
    (dict(), 'smtp_sasl_security_options = noplaintext\n', rf'dsn=4\.7\.0, status=deferred \(SASL authentication failed; cannot authenticate to server {peer}: no mechanism available\)'),
    (dict(), 'smtp_sasl_mechanism_filter = gssapi\n', rf'dsn=4\.7\.0, status=deferred \(SASL authentication failed: server {peer} offered no compatible authentication mechanisms for this type of connection security\)'),
    (dict(), 'smtp_sasl_password_maps = fail:x\n', rf'dsn=4\.3\.0, status=deferred \(local data error while talking to {peer}\)'),
]
for behaviour, more, want in cases:
    far = SecureServer(users={'user': 'right'}, **dict(dict(mechanisms='PLAIN'), **behaviour))
    names = {line.split(' ')[0] for line in more.splitlines()}
    kept = ''.join(line + '\n' for line in options.splitlines() if line.split(' ')[0] not in names)
    with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n{kept}{more}') as mail:
        mail.send(to=['b@far.test'])
        mail.wait_for_log(want)
        if any(line.startswith('MAIL') for line in far.commands):
            raise SystemExit(f'mail was tried without a login: {far.commands}')
    far.close()
