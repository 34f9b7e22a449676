"""Behind a proxy the client is who the PROXY header names, in the log, to access rules and to limits; nobody without one gets in."""
import os, shutil, socket, struct, subprocess

from instance import Dialogue, Instance, expect, expect_match, free_port, wait_until

SIGNATURE = b'\r\n\r\n\x00\r\nQUIT\n'
proxied, relayed = free_port(), free_port()
MASTER = f'''127.0.0.1:{proxied} inet n - n - - smtpd
  -o smtpd_upstream_proxy_protocol=haproxy
  -o smtpd_upstream_proxy_timeout=1s
  -o smtpd_client_connection_rate_limit=3
  -o smtpd_client_port_logging=yes
127.0.0.1:{relayed} inet n - n - - smtpd
  -o smtpd_authorized_xclient_hosts=127.0.0.1
  -o smtpd_client_event_limit_exceptions=
  -o smtpd_client_connection_rate_limit=1
'''


class Proxied(Dialogue):
    def __init__(self, header, port=proxied):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=30)
        self.file = self.socket.makefile('rb')
        self.send(header)
        self.greeting = self.reply()


def version_2(command, family, body):
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack('>H', len(body)) + body


IPV6 = socket.inet_pton(socket.AF_INET6, '2001:db8::7') + socket.inet_pton(socket.AF_INET6, '2001:db8::1') + struct.pack('>HH', 5555, 25)

with Instance(master=MASTER) as mail:
    with Proxied('PROXY TCP4 192.0.2.7 192.0.2.1 5555 25\r\n') as d:
        d.say('EHLO client.test')
        d.say('MAIL FROM:<a@remote.test>')
        expect_match(r'Relay access denied', d.say('RCPT TO:<x@elsewhere.test>'), 'a stranger behind a proxy of ours')
        expect(d.say('RCPT TO:<alice@example.test>'), '250 2.1.5 Ok', 'mail for us')
        d.say('DATA')
        d.send('Subject: proxied\r\n\r\nHello\r\n')
        expect_match(r'^250 ', d.say('.'), 'the message')
        d.say('QUIT')
    mail.wait_for_log(r'postfix/smtpd\[\d+\]: connect from unknown\[192\.0\.2\.7\]:5555$')
    mail.wait_for_log(r': NOQUEUE: reject: RCPT from unknown\[192\.0\.2\.7\]:5555: 454 4\.7\.1 ')
    text, = mail.wait_for_mail('alice')
    expect_match(r'^Received: from client\.test \(unknown \[192\.0\.2\.7\]\)', text, 'whom the message names')

    for port in (1, 2):
        with Proxied(f'PROXY TCP4 192.0.2.7 192.0.2.1 {port} 25\r\n') as d:
            expect(d.greeting[:4], '220 ', 'one more')
    with Proxied('PROXY TCP4 192.0.2.7 192.0.2.1 3 25\r\n') as d:
        expect(d.greeting, '421 4.7.0 mail.example.test Error: too many connections from 192.0.2.7', 'one too many')
    with Proxied(version_2(1, 0x21, IPV6 + b'\x04\x00\x03abc') ) as d:
        expect(d.greeting[:4], '220 ', 'another client through the same proxy')
    mail.wait_for_log(r'connect from unknown\[2001:db8::7\]:5555$')
    with Proxied(version_2(0, 0, b'')) as d:
        expect(d.greeting[:4], '220 ', "the proxy's own health check")

    for header, why in (('PROXY UNKNOWN\r\n', r'bad or missing protocol type: PROXY UNKNOWN\\r\\n'), ('EHLO client.test\r\n', r'unrecognized protocol header: EHLO client\.test\\r\\n'),
                        ('', 'timeout error'), ('PROXY TC', 'timeout error')):
        with Proxied(header) as d:
            expect(d.greeting, '421 4.3.0 mail.example.test Server local error', header)
        mail.wait_for_log(r'warning: haproxy read: ' + why)

    # Who speaks for others with XCLIENT is counted as whom it names.
    for number, address in ((1, '192.0.2.8'), (2, '192.0.2.9'), (3, '192.0.2.8')):
        with Dialogue(relayed) as d:
            expect(d.greeting[:4], '220 ', 'a client that may use XCLIENT')
            expect(d.say(f'XCLIENT ADDR={address} NAME=c.test'), '421 4.7.0 mail.example.test Error: too many connections from 192.0.2.8' if number == 3 else '220 mail.example.test ESMTP Postfix', f'XCLIENT {number}')
    mail.wait_for_log(r'warning: Connection rate limit exceeded: 2 from c\.test\[192\.0\.2\.8\] for service ')

    # Who comes without a proxy, where there is none.
    with mail.dialogue() as d:
        expect_match('250', d.say('EHLO client.test'), 'the other service')
        expect(d.say('PROXY TCP4 192.0.2.7 192.0.2.1 5555 25')[:3], '500', 'a header in the wrong place')

    haproxy = os.environ.get('EKIDEN_HAPROXY') or shutil.which('haproxy') or (os.path.exists('/usr/sbin/haproxy') and '/usr/sbin/haproxy')
    if not haproxy:
        print('without haproxy itself')
    else:
        ports = {'v1': (free_port(), 'send-proxy'), 'v2': (free_port(), 'send-proxy-v2')}
        path = mail.write('haproxy.cfg', 'global\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n' + ''.join(
            f'frontend f{name}\n bind 127.0.0.1:{port}\n default_backend b{name}\nbackend b{name}\n server s 127.0.0.1:{proxied} {option} check inter 1s\n'
            for name, (port, option) in ports.items()))
        process = subprocess.Popen([haproxy, '-db', '-f', path])
        try:
            for number, (port, _) in enumerate(ports.values()):
                def greeting():
                    try:
                        with Dialogue(port, source=f'127.0.0.{30 + number}') as d:
                            return d.greeting.startswith('220') and d.say('QUIT')
                    except (OSError, EOFError):
                        return None
                wait_until(greeting, 'haproxy')
                mail.wait_for_log(rf'connect from unknown\[127\.0\.0\.{30 + number}\]:\d+$')
        finally:
            process.terminate()
            process.wait()
