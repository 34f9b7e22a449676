"""Many messages for one destination go over a few TLS connections."""
import ssl

from far_mail import sent_together, verified_relay
from instance import Instance, expect

for highest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    with Instance(start=False) as mail:
        far = verified_relay(mail, highest)
        mail.set('smtp_tls_servername = far.test\ndefault_destination_concurrency_limit = 2\ndefer_transports = smtp\n')
        mail.start()
        sent_together(mail, far, 20)
        if far.connections > 8:
            raise SystemExit(f'{far.connections} connections for 20 messages')
        expect(set(far.names), {'far.test'}, 'names asked for')
        expect(all(encrypted for *_, encrypted in far.messages), True, 'everything inside TLS')
