"""To a server that offers CHUNKING content goes in chunks, bytes unchanged; with DATA where it is not offered, or not wanted."""
import re
from instance import FarServer, Instance, expect

HEADER = b'From: <a@remote.test>\r\nTo: <b@far.test>\r\nDate: Mon, 23 Nov 2026 01:00:00 +0000\r\nMessage-Id: <x@remote.test>\r\n\r\n'
BODIES = {
    'dots': (b'.\r\n..\r\n.a\r\n', None),
    'no final newline': (b'.last', b'.last\r\n'),
    'a CR inside': (b'a\rb\r\nc\r\n', None),
    'CRs before the end of a line': (b'a\rb\r\r\nc\r\r\r\n', b'a\rb\r\nc\r\n'),     # taken for the end, as Postfix takes them
    'no body': (b'', None),
    'what looks like commands': (b'BDAT 5 LAST\r\nQUIT\r\n.\r\nRSET\r\n', None),
    'several chunks': (b''.join(b'.line %d\r\n' % i for i in range(60000)), None),
}


def send(mail, name, body):
    content = HEADER + body
    with mail.dialogue() as d:
        d.say('EHLO client.test')
        d.say('MAIL FROM:<a@remote.test>')
        d.say('RCPT TO:<b@far.test>')
        d.send(b'BDAT %d LAST\r\n' % len(content) + content)
        expect(d.reply()[:3], '250', name)


def farewells(server):
    return re.findall(r'disconnect from \S+ (ehlo=.*)', server.log())


plain = FarServer()
keep_cr = 'cleanup_replace_stray_cr_lf = no\n'
with Instance(main=f'relayhost = [127.0.0.1]:{plain.port}\n' + keep_cr) as far:
    # A session for each message, so that its farewell tells how the message came.
    with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\nsmtp_connection_cache_on_demand = no\n' + keep_cr) as mail:
        for name, (body, want) in BODIES.items():
            plain.messages.clear()
            send(mail, name, body)
            got = plain.wait_for()[0][2]
            rest, want = got[got.index(b'From: <a@'):], HEADER + (body if want is None else want)
            at = next((i for i, (x, y) in enumerate(zip(rest, want)) if x != y), min(len(rest), len(want)))
            expect(rest[max(at - 20, 0):at + 40], want[max(at - 20, 0):at + 40], f'{name}: from byte {at} of {len(want)}')
        far.wait_for_empty_queue()
        mail.wait_for_empty_queue()
        far.wait_for_log(r'disconnect from \S+ ehlo=', len(BODIES))
        expect([line for line in farewells(far) if ' data=' in line or ' bdat=' not in line], [], 'sessions with DATA')
        expect(farewells(far).count('ehlo=1 mail=1 rcpt=1 bdat=1 quit=1 commands=5'), len(BODIES) - 1, 'sessions with one chunk')
        expect([line for line in plain.commands if line.startswith('BDAT')], [], 'chunks for a server that does not offer them')

        for setting in ('ekiden_smtp_chunking = no\n', 'smtp_discard_ehlo_keywords = chunking\n',
                        'smtp_discard_ehlo_keyword_address_maps = inline:{ 127.0.0.1=chunking }\n'):
            mail.stop()
            mail.set(setting)
            mail.start()
            plain.messages.clear()
            before = len(farewells(far))
            send(mail, setting, b'.\r\n')
            expect(plain.wait_for()[0][2].endswith(b'\r\n\r\n.\r\n'), True, f'{setting}: bytes unchanged')
            far.wait_for_log(r'disconnect from \S+ ehlo=', before + 1)
            expect(' data=1' in farewells(far)[-1] and ' bdat=' not in farewells(far)[-1], True, f'{setting}: {farewells(far)[-1]}')
            mail.set(setting.split('=')[0] + '=' + (' yes' if 'ekiden' in setting else '') + '\n')
