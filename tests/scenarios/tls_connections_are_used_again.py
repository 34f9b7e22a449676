"""Many messages for one destination go over a few TLS connections; one each where somebody has forbidden that."""
import ssl

from far_mail import sent_together, verified_relay
from instance import Instance, expect

for highest, setting, most, least in ((ssl.TLSVersion.TLSv1_2, '', 8, 1), (ssl.TLSVersion.TLSv1_3, '', 8, 1),
                                      (ssl.TLSVersion.TLSv1_3, 'smtp_tls_connection_reuse = yes\n', 8, 1), (ssl.TLSVersion.TLSv1_3, 'smtp_tls_connection_reuse = no\n', 20, 20)):
    with Instance(start=False) as mail:
        far = verified_relay(mail, highest)
        mail.set(f'smtp_tls_servername = far.test\ndefault_destination_concurrency_limit = 2\ndefer_transports = smtp\n{setting}')
        mail.start()
        sent_together(mail, far, 20)
        if not least <= far.connections <= most:
            raise SystemExit(f'{far.connections} connections for 20 messages')
        expect(set(far.names), {'far.test'}, 'names asked for')
        expect(all(encrypted for *_, encrypted in far.messages), True, 'everything inside TLS')
