"""BDAT: chunks of any size, a text without a final newline and a lone dot arrive as they were sent."""
from instance import FarServer, Instance, expect

HEADER = b'From: <a@remote.test>\r\nTo: <b@far.test>\r\nDate: Mon, 23 Nov 2026 01:00:00 +0000\r\nMessage-Id: <x@remote.test>\r\n\r\n'

far = FarServer()
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
    for body, chunk, want in ((b'no final newline', 5, b'no final newline\r\n'), (b'a\r\n.\r\nb\r\n', 3, b'a\r\n.\r\nb\r\n'), (b'x\r\n' * 100000, 65536, b'x\r\n' * 100000)):
        far.messages.clear()
        content = HEADER + body
        with mail.dialogue() as d:
            expect('CHUNKING' in d.say('EHLO client.test'), True, 'CHUNKING is offered')
            d.say('MAIL FROM:<a@remote.test>')
            d.say('RCPT TO:<b@far.test>')
            for at in range(0, len(content), chunk):
                piece = content[at:at + chunk]
                d.send(b'BDAT %d%s\r\n' % (len(piece), b' LAST' if at + chunk >= len(content) else b'') + piece)
                expect(d.reply()[:3], '250', f'the chunk at {at}')
        got = far.wait_for()[0][2]
        expect(got[got.index(b'\r\n\r\n') + 4:], want, 'the body')
        mail.wait_for_empty_queue()
