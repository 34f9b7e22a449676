"""smtpd_tls_security_level = encrypt: nothing but what leads to TLS works before it; and client certificates that are
demanded are demanded."""
import shutil, ssl, tempfile
from certificates import Certificates
from instance import Dialogue, Instance, MESSAGE, expect, expect_match, free_port

MUST = '530 5.7.0 Must issue a STARTTLS command first'
folder = tempfile.mkdtemp(prefix='ekiden-', dir='/var/tmp')
made = Certificates(folder)
made.make('server')
made.make('ca', cn='Test CA')
made.make('known', cn='client one', issuer='ca')
made.make('stranger', cn='somebody')
strict = free_port()
try:
    with Instance(main=f'''
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = {made.path('server.both')}
smtpd_tls_CAfile = {made.path('ca.pem')}
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
''', master=f'127.0.0.1:{strict} inet n - n - - smtpd\n  -o syslog_name=postfix/strict\n  -o smtpd_tls_req_ccert=yes\n', folder=folder) as mail:
        with Dialogue(mail.port) as d:
            expect_match('250-STARTTLS', d.say('EHLO client.test'), 'the EHLO reply')
            for command, answer in (('MAIL FROM:<a@remote.test>', MUST), ('RCPT TO:<alice@example.test>', MUST), ('DATA', MUST), ('VRFY alice', MUST), ('ETRN example.test', MUST), ('RSET', MUST),
                                    ('AUTH PLAIN', MUST), ('NOOP', '250 2.0.0 Ok'), ('HELO client.test', '250 mail.example.test'), ('FOO', '500 5.5.2 Error: command not recognized'),
                                    ('STARTTLS now', '501 5.5.4 Syntax: STARTTLS'), ('QUIT', '221 2.0.0 Bye')):
                expect(d.say(command), answer, command)
        with mail.smtp() as s:
            s.starttls(context=made.client())
            s.sendmail('a@remote.test', ['alice@example.test'], MESSAGE)
        mail.wait_for_mail('alice')

        def greet(certificate):
            d = Dialogue(strict)
            d.say('EHLO client.test')
            d.say('STARTTLS')
            inside = made.client(certificate=certificate).wrap_socket(d.socket)
            inside.sendall(b'EHLO client.test\r\n')
            reply = inside.recv(4096).decode()
            inside.close()
            return reply
        expect(greet(None), '421 4.7.1 mail.example.test Error: No client certificate presented\r\n', 'no certificate')
        expect(greet('stranger'), '421 4.7.1 mail.example.test Error: Client certificate not trusted\r\n', 'a certificate of nobody')
        expect_match('^250-mail.example.test', greet('known'), 'a trusted certificate')
        mail.wait_for_log(r'strict/smtpd\[\d+\]: NOQUEUE: abort: TLS from localhost\[127.0.0.1\]: No client certificate presented')
        mail.wait_for_log(r'strict/smtpd\[\d+\]: NOQUEUE: abort: TLS from localhost\[127.0.0.1\]: Client certificate not trusted')
        mail.wait_for_log(r'strict/smtpd\[\d+\]: Untrusted TLS connection established from localhost\[127.0.0.1\]: .* client-signature ECDSA \(prime256v1\) client-digest SHA256$')
        mail.wait_for_log(r'strict/smtpd\[\d+\]: Trusted TLS connection established from localhost')
finally:
    shutil.rmtree(folder, ignore_errors=True)
