"""Whoever sits between client and server and writes behind the client's STARTTLS gains nothing: those bytes are never
commands inside TLS, and the session that they came with ends. Postfix's wait for a handshake stays as it is."""
import shutil, socket, tempfile
from certificates import Certificates
from instance import Dialogue, Instance, expect, expect_match

folder = tempfile.mkdtemp(prefix='ekiden-', dir='/var/tmp')
made = Certificates(folder)
made.make('server')
INJECTED = 'MAIL FROM:<evil@remote.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: injected\r\n\r\nx\r\n.\r\n'
try:
    with Instance(main=f'smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {made.path("server.both")}\n', folder=folder) as mail:
        for injected in ('NOOP\r\n', 'RSET', INJECTED, 'EHLO evil.test\r\n' * 500):
            with Dialogue(mail.port) as d:
                d.say('EHLO client.test')
                d.send('STARTTLS\r\n' + injected)
                expect(d.reply(), '220 2.0.0 Ready to start TLS', 'the answer to STARTTLS')
                # A first read may have left a part of it in the socket: then the handshake itself fails.
                try:
                    inside = made.client().wrap_socket(d.socket)
                    inside.sendall(b'EHLO client.test\r\n')
                    answer = inside.recv(4096)
                    expect(answer, b'554 5.5.0 Error: SMTP protocol synchronization\r\n', 'the only answer inside TLS')
                    expect(inside.recv(4096), b'', 'the end of the session')
                except (OSError, EOFError) as error:
                    expect(len(injected) > 1000, True, f'a handshake that fails ({error})')
        mail.wait_for_log(r'warning: improper command pipelining after STARTTLS from localhost\[127.0.0.1\]: NOOP')
        mail.wait_for_log(r'disconnect from localhost\[127.0.0.1\] ehlo=1 starttls=0/1 commands=1/2', 3)
        expect(mail.mailbox('alice'), [], 'mail for alice')

        # A password that was sent too early stays out of the log.
        with Dialogue(mail.port) as d:
            d.say('EHLO client.test')
            d.send('STARTTLS\r\nEHLO client.test\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n')
            d.reply()
            with made.client().wrap_socket(d.socket) as inside:
                expect(inside.recv(4096)[:4], b'554 ', 'the answer inside TLS')
        mail.wait_for_log(r'improper command pipelining after STARTTLS from localhost\[127.0.0.1\]: EHLO client.test\S+AUTH PLAIN \.\.\.$')
        expect('AGFsaWNl' in mail.log(), False, 'the password in the log')

        # Who never starts the handshake is heard of as a lost connection, as ever.
        with Dialogue(mail.port) as d:
            d.say('EHLO client.test')
            d.send('STARTTLS\r\nNOOP\r\n')
            d.reply()
        mail.wait_for_log(r'SSL_accept error from localhost\[127.0.0.1\]: lost connection')
        mail.send()
        expect_match('Subject: test', mail.wait_for_mail('alice')[0], 'the next message')
finally:
    shutil.rmtree(folder, ignore_errors=True)
