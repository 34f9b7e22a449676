"""What the far server gets is byte for byte what came in, behind the Received header: dots, long lines, eight bits, nothing at all."""
from instance import FarServer, Instance, expect

HEADER = b'From: <a@remote.test>\r\nTo: <b@far.test>\r\nDate: Mon, 23 Nov 2026 01:00:00 +0000\r\nMessage-Id: <x@remote.test>\r\n'
BODIES = {
    'dots': b'.\x20\r\n..\r\n.a\r\n...\r\n',
    'long lines': b'x' * 900 + b'\r\n' + b'y' * 998 + b'\r\n',
    'eight bits': bytes(range(0x80, 0x100)) + b'\r\n\xc3\xa9\r\n',
    'no body': b'',
    'empty lines': b'\r\n\r\n\r\n',
    'a second header': b'From: x\r\n\r\nFrom y\r\n>From z\r\n',
    'many lines': b''.join(b'line %d\r\n' % i for i in range(20000)),
}

far = FarServer()
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
    for name, body in BODIES.items():
        far.messages.clear()
        content = HEADER + b'Subject: ' + name.encode() + b'\r\n\r\n' + body
        with mail.dialogue() as d:
            d.say('EHLO client.test')
            d.say('MAIL FROM:<a@remote.test> BODY=8BITMIME')
            d.say('RCPT TO:<b@far.test>')
            d.say('DATA')
            d.send(content.replace(b'\r\n.', b'\r\n..'))
            expect(d.say('.')[:3], '250', name)
        got = far.wait_for()[0][2]
        received, rest = got[:got.index(b'From: <a@')], got[got.index(b'From: <a@'):]
        expect(received[:9], b'Received:', f'{name}: the header of ours')
        if rest != content:
            at = next((i for i, (x, y) in enumerate(zip(rest, content)) if x != y), min(len(rest), len(content)))
            expect(rest[at - 20:at + 40], content[at - 20:at + 40], f'{name}: from byte {at} of {len(content)}')
        mail.wait_for_empty_queue()
