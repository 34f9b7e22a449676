"""What scenarios about connections to a far side have in common."""
import ssl

from certificates import Certificates
from instance import expect
from secure_server import SecureServer


def sent_together(mail, far, count):
    """`count` messages are handed in while smtp is stopped (defer_transports = smtp must be set), and leave all at once"""
    with mail.smtp() as s:
        for i in range(count):
            s.sendmail('a@remote.test', ['b@far.test'], f'Subject: {i}\n\nx\n')
    mail.wait_for_entries(lambda q: len(q) == count and all(e['queue_name'] == 'deferred' for e in q), f'{count} deferred messages')
    mail.set('defer_transports =\n')
    mail.run('postfix', 'reload')
    mail.wait_for_log(r'reload -- version')
    mail.run('postqueue', '-f')
    expect(len(far.wait_for(count)), count, 'messages')
    mail.wait_for_empty_queue()


def verified_relay(mail, highest=ssl.TLSVersion.TLSv1_3):
    """a far side with a certificate for far.test, and settings that make it the relay host and demand that certificate"""
    made = Certificates(mail.folder)
    made.make('far', cn='far.test')
    far = SecureServer(certificate=(made.path('far.pem'), made.path('far.key')), highest=highest)
    mail.set(f'relayhost = [127.0.0.1]:{far.port}\nsmtp_tls_security_level = secure\nsmtp_tls_secure_cert_match = far.test\n'
             f'smtp_tls_CAfile = {made.path("far.pem")}\nsmtp_tls_loglevel = 1\n')
    return far
