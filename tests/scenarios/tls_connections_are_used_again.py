"""Many messages for one destination go over a few TLS connections."""
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
                 f'smtp_tls_servername = far.test\nrelayhost = [127.0.0.1]:{far.port}\ndefault_destination_concurrency_limit = 2\ndefer_transports = smtp\n')
        mail.start()
        with mail.smtp() as s:
            for i in range(20):
                s.sendmail('a@remote.test', ['b@far.test'], f'Subject: {i}\n\nx\n')
        mail.wait_for_entries(lambda q: len(q) == 20 and all(e['queue_name'] == 'deferred' for e in q), '20 deferred messages')
        mail.set('defer_transports =\n')
        mail.run('postfix', 'reload')
        mail.wait_for_log(r'reload -- version')
        mail.run('postqueue', '-f')
        expect(len(far.wait_for(20)), 20, 'messages')
        mail.wait_for_empty_queue()
        if far.connections > 8:
            raise SystemExit(f'{far.connections} connections for 20 messages')
        expect(set(far.names), {'far.test'}, 'names asked for')
        expect(all(encrypted for *_, encrypted in far.messages), True, 'everything inside TLS')
