"""Milters that lie, stall, flood or die: each session ends in the default action within its time, other sessions go on, and nothing of
what such a milter asked for reaches the mail."""
import contextlib, re, struct, threading, time

from instance import Instance, expect, wait_until
from played_milter import *

LATER = '451 4.7.1 Service unavailable - try again later'
stop = threading.Event()


def flood(connection):
    """for as long as anybody takes it"""
    packet = struct.pack('!I', 65000) + add_header('X', 'y' * 64996)[:65000]
    while not stop.is_set():
        connection.sendall(packet)


def hasty(connection):
    """is still busy, as fast as the wire takes it"""
    with contextlib.suppress(OSError):
        while not stop.is_set():
            connection.sendall((struct.pack('!I', 1) + b'p') * 10000)


def busy(connection):
    """is still busy, every 50 ms, and never comes to an end"""
    while not stop.wait(0.05):
        connection.sendall(struct.pack('!I', 1) + b'p')


def send(mail):
    """the replies to RCPT and to the end of the content"""
    with mail.dialogue() as d:
        d.say('EHLO client.test')
        d.say('MAIL FROM:<a@remote.test>')
        recipient = d.say('RCPT TO:<alice@example.test>')
        if not recipient.startswith('250'):
            return recipient, None
        d.say('DATA')
        return recipient, d.say('Subject: x\r\n\r\nhello\r\n.')


HOSTILE = {
    # what it says at the end of the message: what the log says of it
    'huge packet': ([Raw(struct.pack('!I', 0x7fffffff) + b'h')], 'unreasonable packet length'),
    'endless changes': ([flood], 'more changes than a message can have|replacement body'),
    'endless progress': ([hasty], 'too many SMFIR_PROGRESS replies'),
    'large body': ([replace_body(b'z' * 60000)] * 40 + [b'c'], 'replacement body is larger than a message may be'),
    'half a packet': ([Raw(struct.pack('!I', 100) + b'hX-A'), CLOSE], 'reply packet header: Application error'),
    'half a packet and silence': ([Raw(struct.pack('!I', 100) + b'hX-A'), SILENCE], 'reply packet header: Connection timed out'),
    'nonsense': ([Raw(b'\r\n\r\nGET / HTTP/1.0\r\n')], 'unreasonable packet length|unexpected filter response'),
    'empty packet': ([Raw(bytes(4))], 'without a command'),
    'fields cut off': ([b'hX-A', b'c'], 'missing string null terminator'),
    'change and death': ([add_header('X-Evil', 'x'), replace_body(b'evil\r\n'), CLOSE], 'Application error'),
}


def main():
    with Milter() as milter, Milter(listens=False) as dead, Instance(start=False) as mail:
        mail.set(f'smtpd_milters = inet:127.0.0.1:{milter.port}\nmilter_default_action = tempfail\nmilter_connect_timeout = 1s\nmilter_command_timeout = 1s\n'
                 'milter_content_timeout = 1s\nmessage_size_limit = 1000000\n')
        mail.start()
        for what, (answer, said) in HOSTILE.items():
            milter.play({'E': answer})
            before = len(mail.log())
            began = time.monotonic()
            expect(send(mail), ('250 2.1.5 Ok', LATER), what)
            if time.monotonic() - began > 20:
                raise AssertionError(f'{what}: it took {time.monotonic() - began} s')
            wait_until(lambda: re.search(rf'warning: milter inet:127\.0\.0\.1:{milter.port}: .*({said})', mail.log()[before:]), lambda: f'{what}: {mail.log()[before:]}')

        # One that is forever busy keeps its own session waiting, and nobody else's.
        milter.play({'R': [busy]})
        waiting = mail.dialogue()
        waiting.say('EHLO client.test')
        waiting.say('MAIL FROM:<a@remote.test>')
        waiting.send('RCPT TO:<alice@example.test>\r\n')
        wait_until(lambda: any(line.startswith('R ') for line in milter.heard), 'the milter to be busy')
        milter.play()
        for _ in range(8):      # on every core
            expect(send(mail)[1][:14], '250 2.0.0 Ok: ', 'mail beside a session that waits')
        stop.set()
        waiting.close()

        for action, replies in {'accept': ('250 2.1.5 Ok', '250'), 'quarantine': ('250 2.1.5 Ok', '250'),
                                'reject': ('503 5.5.1 Error: need MAIL command', None), 'shutdown': None}.items():
            mail.set(f'smtpd_milters = {{ inet:127.0.0.1:{dead.port}, default_action={action} }}\n')
            mail.stop()
            mail.start()
            if action == 'shutdown':
                with mail.dialogue() as d:
                    expect(d.greeting, '421 mail.example.test Service unavailable - try again later', 'the greeting')
                continue
            recipient, content = send(mail)
            expect((recipient, content and content[:3]), replies, f'default action {action}')
        mail.wait_for_log(r'warning: connect to Milter service inet:127\.0\.0\.1:\d+: Connection refused$')
        mail.wait_for_entries(lambda entries: [e['queue_name'] for e in entries] == ['hold'], 'one held message')
        for text in mail.wait_for_mail('alice', 9):
            if 'vil' in text.replace('Delivered', ''):
                raise AssertionError('what a dead milter asked for was carried out: ' + text)


main()
