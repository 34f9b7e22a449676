"""A client that shows a certificate of relay_clientcerts may relay, another may not; the Received field says who it was."""
import shutil, smtplib, tempfile
from certificates import Certificates
from instance import FarServer, Instance, MESSAGE, expect, expect_match

folder = tempfile.mkdtemp(prefix='ekiden-', dir='/var/tmp')
made = Certificates(folder)
made.make('server')
made.make('friend', cn='client (one)')
made.make('stranger', cn='somebody')
far = FarServer()
try:
    with Instance(main=f'''
compatibility_level = 3.6
mynetworks = 192.0.2.0/24
smtpd_tls_security_level = may
smtpd_tls_chain_files = {made.path('server.both')}
smtpd_tls_ask_ccert = yes
smtpd_tls_fingerprint_digest = sha256
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
relay_clientcerts = inline:{{ {{ {made.fingerprint('friend')} = friend }} }}
smtpd_relay_restrictions = permit_mynetworks, permit_tls_clientcerts, reject_unauth_destination
relayhost = [127.0.0.1]:{far.port}
''', folder=folder) as mail:
        def relay(certificate):
            with mail.smtp() as s:
                s.starttls(context=made.client(certificate=certificate))
                s.sendmail('a@remote.test', ['b@elsewhere.test'], MESSAGE)
        for certificate in (None, 'stranger'):
            try:
                relay(certificate)
                raise AssertionError('an open relay')
            except smtplib.SMTPRecipientsRefused as refused:
                expect(refused.recipients['b@elsewhere.test'], (554, b'5.7.1 <b@elsewhere.test>: Relay access denied'), f'the answer to {certificate}')
        relay('friend')
        text = far.wait_for()[0][2].decode()
        expect_match(r'^\t key-exchange X25519 server-signature ECDSA \(prime256v1\) server-digest SHA256\r\n\t client-signature ECDSA \(prime256v1\) client-digest SHA256\)\r\n'
                     r'\t\(Client CN "client \(one\)", Issuer "client \(one\)" \(not verified\)\)\r$', text, 'the Received field')
        mail.wait_for_log(r'Untrusted TLS connection established from localhost', 2)
finally:
    far.close()
    shutil.rmtree(folder, ignore_errors=True)
