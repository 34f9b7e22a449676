"""A client that comes back with its session ticket resumes, on any core and after a reload; not at another service."""
import shutil, ssl, tempfile
from certificates import Certificates
from instance import Dialogue, Instance, expect, free_port

folder = tempfile.mkdtemp(prefix='ekiden-', dir='/var/tmp')
made = Certificates(folder)
made.make('server')
other = free_port()
try:
    with Instance(main=f'smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {made.path("server.both")}\nsmtpd_tls_loglevel = 2\n',
                  master=f'127.0.0.1:{other} inet n - n - - smtpd\n', folder=folder) as mail:
        context = made.client()

        def connect(port, session=None):
            with Dialogue(port) as d:
                d.say('STARTTLS')
                inside = context.wrap_socket(d.socket, session=session)
                inside.sendall(b'NOOP\r\n')
                inside.recv(100)
                reused, session = inside.session_reused, inside.session
                inside.close()
                return reused, session
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context.minimum_version = context.maximum_version = version
            reused, session = connect(mail.port)
            expect(reused, False, 'a first session')
            for _ in range(8):
                expect(connect(mail.port, session)[0], True, f'another session, {version}')
            expect(connect(other, session)[0], False, 'at another service')
        mail.run('postfix', 'reload')
        mail.wait_for_log('reload')
        expect(connect(mail.port, session)[0], True, 'after a reload')
        mail.wait_for_log(r'smtpd\[\d+\]: localhost\[127.0.0.1\]: Issuing session ticket, key expiration: \d+')
        mail.wait_for_log(r'smtpd\[\d+\]: localhost\[127.0.0.1\]: Reusing old session \(RFC 5077 session ticket\)')
        mail.wait_for_log(r'smtpd\[\d+\]: setting up TLS connection from localhost\[127.0.0.1\]')
finally:
    shutil.rmtree(folder, ignore_errors=True)
