"""Random bytes where a handshake should be, floods of half handshakes and silence: each is logged and closed, and the
others are served."""
import os, random, re, shutil, socket, ssl, tempfile
from certificates import Certificates
from instance import Instance, MESSAGE, expect, free_port

folder = tempfile.mkdtemp(prefix='ekiden-', dir='/var/tmp')
made = Certificates(folder)
made.make('server', kind='rsa')
wrapped, patient = free_port(), free_port()
rng = random.Random(20261123)
try:
    with Instance(main=f'''
smtpd_tls_security_level = may
smtpd_tls_chain_files = {made.path('server.both')}
smtpd_starttls_timeout = 2s
smtpd_client_connection_count_limit = 0
smtpd_tls_loglevel = 1
''', master=f'127.0.0.1:{wrapped} inet n - n - - smtpd\n  -o syslog_name=postfix/smtps\n  -o smtpd_tls_wrappermode=yes\n'
                  f'127.0.0.1:{patient} inet n - n - - smtpd\n  -o syslog_name=postfix/patient\n  -o smtpd_tls_wrappermode=yes\n  -o smtpd_starttls_timeout=300s\n', folder=folder) as mail:
        junk = [bytes(rng.randrange(256) for _ in range(n)) for n in (1, 5, 80, 3000)]
        junk += [b'EHLO x\r\n', b'\x16\x03\x01\xff\xff' + bytes(70000), b'\x16\x03\x01\x00\x05' + b'\x01\xff\xff\xff\xff', b'\x80\x2e\x01\x00\x02' + bytes(60)]
        for data in junk:
            for is_wrapped in (True, False):
                s = socket.create_connection(('127.0.0.1', wrapped if is_wrapped else mail.port), timeout=30)
                if not is_wrapped:
                    s.recv(1000)
                    s.sendall(b'STARTTLS\r\n')
                    s.recv(1000)
                try:
                    s.sendall(data)
                    while s.recv(4096):     # an alert perhaps, then the end
                        pass
                except ConnectionError:
                    pass
                s.close()
        count = len(junk)
        mail.wait_for_log(r'smtps/smtpd\[\d+\]: SSL_accept error from localhost\[127.0.0.1\]: (-1|Connection timed out)', count)
        mail.wait_for_log(r'smtps/smtpd\[\d+\]: lost connection after CONNECT from localhost', count)
        mail.wait_for_log(r'postfix/smtpd\[\d+\]: lost connection after STARTTLS from localhost', count)
        mail.wait_for_log(r'warning: TLS library problem: error:0A00010B:SSL routines::wrong version number:')
        mail.wait_for_log(r'SSL_accept error from localhost\[127.0.0.1\]: Connection timed out')

        # Many that begin a handshake and are never heard of again, while somebody else's session goes on.
        hello = made.client()
        slow = [socket.create_connection(('127.0.0.1', patient), timeout=30) for _ in range(200)]
        for s in slow:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            client = hello.wrap_bio(incoming, outgoing)
            try:
                client.do_handshake()
            except ssl.SSLWantReadError:
                s.sendall(outgoing.read())
        with mail.smtp() as live:
            live.starttls(context=made.client())
            for _ in range(20):
                expect(live.noop()[0], 250, 'a live session')
            live.sendmail('a@remote.test', ['alice@example.test'], MESSAGE)
        mail.wait_for_mail('alice')
        expect('patient/smtpd' in mail.log() and not re.search(r'patient/smtpd.*(error|lost)', mail.log()), True, 'all handshakes were under way meanwhile')
        for s in slow:
            s.close()
        mail.wait_for_log(r'patient/smtpd\[\d+\]: SSL_accept error from ', 200)
finally:
    shutil.rmtree(folder, ignore_errors=True)
