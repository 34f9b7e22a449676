"""STARTTLS with real clients: python's smtplib, swaks, openssl; on a port of its own from the first byte on; and what was
said before it is forgotten."""
import shutil, smtplib, socket, ssl, subprocess, tempfile
from certificates import Certificates
from instance import Dialogue, Instance, MESSAGE, expect, expect_match, free_port

folder = tempfile.mkdtemp(prefix='ekiden-', dir='/var/tmp')
made = Certificates(folder)
made.make('ca', cn='Test CA')
made.make('ec', issuer='ca')
made.make('rsa', issuer='ca', kind='rsa')
wrapped = free_port()
try:
    with Instance(main=f'''
smtpd_tls_security_level = may
smtpd_tls_chain_files = {made.path('ec.both')}, {made.path('rsa.both')}
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
''', master=f'127.0.0.1:{wrapped} inet n - n - - smtpd\n  -o syslog_name=postfix/smtps\n  -o smtpd_tls_wrappermode=yes\n', folder=folder) as mail:
        trusting = made.client(trusts='ca')
        trusting.check_hostname = False     # the certificate of this test has no other name than its CN

        # python, and what the recipient sees
        with mail.smtp() as s:
            s.ehlo()
            expect(s.has_extn('starttls'), True, 'STARTTLS in the EHLO reply')
            s.starttls(context=trusting)
            s.ehlo()
            expect(s.has_extn('starttls'), False, 'STARTTLS inside TLS')
            expect(s.docmd('STARTTLS'), (554, b'5.5.1 Error: TLS already active'), 'a second STARTTLS')
            s.sendmail('a@remote.test', ['alice@example.test'], MESSAGE)
        expect_match(r'^Received: from client.test \(localhost \[127.0.0.1\]\)\n\t\(using TLSv1.3 with cipher TLS_\w+ \(\d+/\d+ bits\)\n'
                     r'\t key-exchange X25519 server-signature ECDSA \(prime256v1\) server-digest SHA256\)\n\t\(No client certificate requested\)\n'
                     r'\tby mail.example.test \(\w+\) with ESMTPS id ', mail.wait_for_mail('alice')[0], 'the Received field')
        mail.wait_for_log(r'smtpd\[\d+\]: Anonymous TLS connection established from localhost\[127.0.0.1\]: TLSv1.3 with cipher TLS_\w+ \(\d+/\d+ bits\) '
                          r'key-exchange X25519 server-signature ECDSA \(prime256v1\) server-digest SHA256$')
        mail.wait_for_log(r'disconnect from localhost\[127.0.0.1\] ehlo=2 starttls=1/2 mail=1 rcpt=1 data=1 quit=1 commands=7/8')

        # a large message, both ways of connecting
        big = MESSAGE + ('x' * 70 + '\n') * 60000
        with smtplib.SMTP_SSL('127.0.0.1', wrapped, context=trusting, local_hostname='client.test') as s:
            s.sendmail('a@remote.test', ['bob@example.test'], big)
        expect(mail.wait_for_mail('bob')[0].count('x' * 70), 60000, 'lines of a large message')
        mail.wait_for_log(r'postfix/smtps/smtpd\[\d+\]: Anonymous TLS connection established from ')

        # older clients, and the other kind of key
        for version, cipher, shown in ((ssl.TLSVersion.TLSv1_2, 'ECDHE-RSA-AES128-GCM-SHA256', 'TLSv1.2 with cipher ECDHE-RSA-AES128-GCM-SHA256 (128/128 bits)'),
                                       (ssl.TLSVersion.TLSv1_2, 'ECDHE-ECDSA-AES256-GCM-SHA384', 'TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)')):
            context = made.client(trusts='ca')
            context.check_hostname = False
            context.maximum_version = version
            context.set_ciphers(cipher)
            with mail.smtp() as s:
                s.starttls(context=context)
                s.noop()
            mail.wait_for_log('TLS connection established from localhost.127.0.0.1.: ' + shown.replace('(', r'\(').replace(')', r'\)'))

        # what was said before is forgotten
        with Dialogue(mail.port) as d:
            d.say('EHLO forgotten.test')
            expect(d.say('MAIL FROM:<a@remote.test>')[:3], '250', 'MAIL before STARTTLS')
            expect(d.say('STARTTLS'), '220 2.0.0 Ready to start TLS', 'STARTTLS after MAIL')
            inside = trusting.wrap_socket(d.socket)
            inside.sendall(b'RCPT TO:<alice@example.test>\r\n')
            expect(inside.recv(100), b'503 5.5.1 Error: need MAIL command\r\n', 'RCPT for a forgotten MAIL')
            inside.sendall(b'MAIL FROM:<>\r\nQUIT\r\n')
            inside.close()

        if shutil.which('swaks'):
            for arguments in (['--server', f'127.0.0.1:{mail.port}', '--tls'], ['--server', f'127.0.0.1:{wrapped}', '--tls-on-connect']):
                p = subprocess.run(['swaks', *arguments, '--from', 'a@remote.test', '--to', 'carol@example.test', '--helo', 'client.test'], capture_output=True, text=True, timeout=30)
                expect(p.returncode, 0, p.stdout + p.stderr)
            mail.wait_for_mail('carol', 2)

        p = subprocess.run(['openssl', 's_client', '-starttls', 'smtp', '-connect', f'127.0.0.1:{mail.port}', '-CAfile', made.path('ca.pem'), '-verify_return_error', '-crlf', '-ign_eof'],
                           input='QUIT\n', capture_output=True, text=True, timeout=30)
        expect_match(r'Verify return code: 0 \(ok\).*221 2.0.0 Bye', p.stdout, 'openssl s_client')
finally:
    shutil.rmtree(folder, ignore_errors=True)
