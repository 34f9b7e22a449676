"""A new connection to a server resumes the TLS session of the one before, with what was found out about its certificate then."""
import ssl

from certificates import Certificates
from instance import Instance, expect
from secure_server import SecureServer

for highest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    with Instance(start=False) as mail:
        made = Certificates(mail.folder)
        made.make('far', cn='far.test')
        far = SecureServer(certificate=(made.path('far.pem'), made.path('far.key')), highest=highest)
        mail.set(f'smtp_tls_security_level = secure\nsmtp_tls_secure_cert_match = far.test\nsmtp_tls_CAfile = {made.path("far.pem")}\nsmtp_tls_loglevel = 1\n'
                 f'relayhost = [127.0.0.1]:{far.port}\nsmtp_connection_cache_on_demand = no\n')
        mail.start()
        for i in range(3):
            mail.send(to=['b@far.test'])
            far.wait_for(i + 1)
            mail.wait_for_empty_queue()
        expect((far.connections, far.resumed), (3, 2), 'connections and resumed sessions')
        expect(mail.log().count('Verified TLS connection established'), 3, 'verified connections')
