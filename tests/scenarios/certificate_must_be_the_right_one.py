"""The levels verify, secure and fingerprint: mail goes to the server whose certificate is the expected one, and waits for the
others."""
from certificates import Certificates
from instance import Instance
from secure_server import SecureServer

with Instance(start=False) as mail:
    made = Certificates(mail.folder)
    made.make('ca', cn='Test Authority')
    made.make('good', cn='far.test', issuer='ca')
    made.make('self', cn='far.test')
    servers = {name: SecureServer(certificate=(made.path(f'{name}.pem'), made.path(f'{name}.key'))) for name in ('good', 'self')}
    refused = r'dsn=4\.7\.5, status=deferred \(Server certificate not verified\)'
    cases = [
        ('good', 'secure match=far.test', r'Verified TLS connection.*status=sent'),
        ('good', 'secure match=.test', r'Verified TLS connection.*status=sent'),
        ('good', 'secure match=other.test', r'server certificate verification failed for \S+: num=62:hostname mismatch\n.*Untrusted TLS connection.*' + refused),
        ('good', 'verify', r'num=64:IP address mismatch.*' + refused),
        ('self', 'verify match=far.test', r'certificate verification failed for \S+: self-signed certificate\n.*' + refused),
        ('self', 'encrypt', r'Untrusted TLS connection.*status=sent'),
        ('good', 'encrypt', r'Trusted TLS connection.*status=sent'),
        ('self', 'fingerprint match=' + made.fingerprint('self'), r'Verified TLS connection.*status=sent'),
        ('self', 'fingerprint match=' + made.fingerprint('good').lower().replace(':', ''), r'num=65:no matching DANE TLSA records\n.*' + refused),
        ('self', 'secure match=far.test tafile=' + made.path('self.pem'), r'Verified TLS connection.*status=sent'),
        ('good', 'secure match=far.test tafile=' + made.path('self.pem'), refused),
        ('good', 'fingerprint', r'relay=none.*dsn=4\.7\.5, status=deferred \(client TLS configuration problem\)'),
        ('good', 'dane', r'dane configured with dnssec lookups disabled\n.*status=sent'),
        ('good', 'dane-only', r'relay=none.*dsn=4\.7\.5, status=deferred \(client TLS configuration problem\)'),
    ]
    # Each case has an address, and so a policy, of its own.
    mail.write('policy', ''.join(f'[127.0.0.{i + 1}]:{servers[name].port} {policy}\n' for i, (name, policy, _) in enumerate(cases)))
    mail.write('transport', ''.join(f'd{i}.test smtp:[127.0.0.{i + 1}]:{servers[name].port}\n' for i, (name, *_) in enumerate(cases)))
    for name, server in servers.items():
        server.close()
    servers = {name: SecureServer(certificate=(made.path(f'{name}.pem'), made.path(f'{name}.key')), host='0.0.0.0', port=server.port) for name, server in servers.items()}
    mail.set('smtp_tls_security_level = may\nsmtp_tls_loglevel = 1\nsmtp_tls_fingerprint_digest = sha256\n'
             f'smtp_tls_CAfile = {made.path("ca.pem")}\nsmtp_tls_policy_maps = texthash:${{config_directory}}/policy\n'
             'transport_maps = texthash:${config_directory}/transport\n')
    mail.start()
    for i, (name, policy, want) in enumerate(cases):
        mail.send(to=[f'b@d{i}.test'])
        mail.wait_for_log('(?s)' + want)
