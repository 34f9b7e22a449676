"""What is said before TLS counts for nothing behind it: bytes behind STARTTLS are not obeyed, whoever put them there, and names and
transactions of the plain part are forgotten. A PROXY header comes before the handshake."""
import shutil, socket, ssl, subprocess

from instance import Instance, expect, expect_match, free_port, skip

if not shutil.which('openssl'):
    skip('makes its certificate with openssl')
lenient, wrapped = free_port(), free_port()
MAIN = '''smtpd_tls_security_level = may
smtpd_tls_chain_files = ${config_directory}/tls.pem
smtpd_client_connection_count_limit = 0
'''
MASTER = f'''127.0.0.1:{lenient} inet n - n - - smtpd -o smtpd_forbid_unauth_pipelining=no
127.0.0.1:{wrapped} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o smtpd_upstream_proxy_protocol=haproxy
'''
EVIL = b'EHLO evil.test\r\nMAIL FROM:<evil@remote.test>\r\nRCPT TO:<bob@example.test>\r\n'
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE


class Client:
    """One connection that may become TLS; reads no byte more than a reply has."""
    def __init__(self, port, before=b'', is_wrapped=False):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=30)
        self.socket.sendall(before)
        if is_wrapped:
            self.socket = context.wrap_socket(self.socket)
        self.greeting = self.reply()

    def reply(self):
        text = b''
        while True:
            line = b''
            while not line.endswith(b'\n'):
                byte = self.socket.recv(1)
                if not byte:
                    return 'closed'
                line += byte
            text += line
            if line[3:4] != b'-':
                return text.decode()

    def say(self, line):
        self.socket.sendall(line + b'\r\n')
        return self.reply()

    def handshake(self):
        self.socket = context.wrap_socket(self.socket)

    def close(self):
        self.socket.close()


with Instance(main=MAIN, master=MASTER, start=False) as mail:
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', f'{mail.config}/key', '-out', f'{mail.config}/cert', '-days', '2', '-subj', '/CN=mail.example.test'],
                   check=True, stderr=subprocess.DEVNULL)
    mail.write('tls.pem', open(f'{mail.config}/key').read() + open(f'{mail.config}/cert').read())
    mail.start()

    # Commands in the packet of STARTTLS: the session ends behind the handshake.
    c = Client(mail.port)
    c.say(b'EHLO client.test')
    expect(c.say(b'STARTTLS\r\n' + EVIL.rstrip()), '220 2.0.0 Ready to start TLS\r\n', 'STARTTLS with more behind it')
    c.handshake()
    expect_match('^554 5.5.0 Error: SMTP protocol synchronization', c.reply(), 'what was injected')
    expect(c.reply(), 'closed', 'the session')
    c.close()
    mail.wait_for_log(r'improper command pipelining after STARTTLS from localhost\[127\.0\.0\.1\]: EHLO evil\.test')

    # Where bad pipelining is allowed, they are dropped all the same.
    c = Client(lenient)
    c.say(b'EHLO client.test')
    c.say(b'STARTTLS\r\n' + EVIL.rstrip())
    c.handshake()
    expect(c.say(b'RCPT TO:<alice@example.test>'), '503 5.5.1 Error: need MAIL command\r\n', 'a transaction that was injected')
    expect(c.say(b'DATA'), '503 5.5.1 Error: need RCPT command\r\n', 'likewise')
    c.close()

    # What the client itself said in plain text is forgotten too.
    c = Client(mail.port)
    c.say(b'EHLO plain.test')
    c.say(b'MAIL FROM:<plain@remote.test>')
    expect(c.say(b'RCPT TO:<bob@example.test>'), '250 2.1.5 Ok\r\n', 'a recipient in plain text')
    expect(c.say(b'STARTTLS')[:3], '220', 'STARTTLS in a transaction')
    c.handshake()
    expect(c.say(b'DATA')[:3], '503', 'the transaction of the plain part')
    expect(c.say(b'STARTTLS')[:3], '554', 'TLS in TLS')
    expect('STARTTLS' in c.say(b'EHLO client.test'), False, 'STARTTLS is offered again')
    expect(c.say(b'MAIL FROM:<a@remote.test>'), '250 2.1.0 Ok\r\n', 'a new transaction')
    expect(c.say(b'RCPT TO:<alice@example.test>'), '250 2.1.5 Ok\r\n', 'its recipient')
    c.say(b'DATA')
    expect_match('^250 ', c.say(b'Subject: secret\r\n\r\nHello\r\n.'), 'a message through TLS')
    c.close()
    text, = mail.wait_for_mail('alice')
    expect_match(r'from client\.test .*with ESMTPS id', text, 'Received')
    expect('plain' in text, False, 'what was said in plain text')

    # A handshake that is none.
    c = Client(mail.port)
    c.say(b'EHLO client.test')
    c.say(b'STARTTLS')
    c.socket.sendall(EVIL * 20)
    try:
        expect('250' in c.reply(), False, 'plain text for a handshake')
    except (ConnectionError, UnicodeDecodeError):
        pass        # a reset, or an alert of TLS
    c.close()

    # The header of a proxy, and the handshake right behind it.
    c = Client(wrapped, b'PROXY TCP4 192.0.2.7 192.0.2.1 5555 465\r\n', is_wrapped=True)
    expect(c.greeting[:4], '220 ', 'TLS from the first byte behind the header on')
    expect(c.say(b'QUIT')[:3], '221', 'its end')
    c.close()
    mail.wait_for_log(r'connect from unknown\[192\.0\.2\.7\]$')
    expect(mail.mailbox('bob'), [], 'messages for the victim')
