"""smtpd_sasl_path = inet:host:port reaches Dovecot by address and by name."""
from dovecot import Dovecot
from instance import Instance, expect_match

with Dovecot() as dovecot:
    for host in ('127.0.0.1', 'localhost'):
        with Instance(main=dovecot.main(f'inet:{host}:{dovecot.port}')) as mail, mail.smtp() as s:
            s.ehlo()
            expect_match('PLAIN LOGIN CRAM-MD5', s.esmtp_features['auth'], f'the mechanisms of {host}')
            s.login('bob', 'secret of bob')
            s.sendmail('a@remote.test', ['alice@example.test'], 'Subject: x\n\nx\n')
            mail.wait_for_log(r'sasl_method=CRAM-MD5, sasl_username=bob$')
