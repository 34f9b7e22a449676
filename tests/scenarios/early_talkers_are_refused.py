"""A client that talks before it may is refused: commands before our greeting's end, and commands behind DATA's reply."""
from instance import Instance, expect, expect_match

with Instance() as mail:
    with mail.dialogue() as d:
        d.send('EHLO client.test\r\nMAIL FROM:<a@remote.test>\r\nRCPT TO:<alice@example.test>\r\n')
        replies = []
        try:
            for _ in range(3):
                replies.append(d.reply())
        except (EOFError, ConnectionError):
            pass
        expect_match(r'5(54|03) 5\.5\.0 .*SMTP protocol synchronization', '\n'.join(replies), 'pipelining behind EHLO')
    mail.wait_for_log(r'improper command pipelining after EHLO from localhost\[127\.0\.0\.1\]: MAIL FROM:')
    with mail.dialogue() as d:
        d.say('EHLO client.test')
        d.send('MAIL FROM:<a@remote.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n')   # allowed (RFC 2920)
        expect([d.reply()[:3] for _ in range(3)], ['250', '250', '354'], 'proper pipelining')
        expect(d.say('Subject: x\r\n\r\nx\r\n.')[:3], '250', 'the message')
