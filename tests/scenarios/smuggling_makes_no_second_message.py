"""No mixture of bare CR, bare LF and dots ends a message for us and goes on for others, or the reverse: at most one message, never two."""
import itertools
from instance import FarServer, Instance, expect

ENDS = [a + b'.' + b for a, b in itertools.product((b'\r\n', b'\n', b'\r', b'\r\r\n', b'\n\r', b'\0\r\n'), repeat=2) if b'\r\n.\r\n' not in a + b'.' + b]
SECOND = b'MAIL FROM:<evil@remote.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n'

for setting in ('yes', 'normalize', 'note', 'reject'):
    with Instance(main=f'smtpd_forbid_bare_newline = {setting}\nsmtpd_forbid_bare_newline_exclusions =\nsmtpd_forbid_unauth_pipelining = no\n') as mail:
        for end in ENDS:
            with mail.dialogue() as d:
                d.say('EHLO client.test')
                d.say('MAIL FROM:<a@remote.test>')
                d.say('RCPT TO:<alice@example.test>')
                d.say('DATA')
                d.send(b'Subject: outer\r\n\r\nfirst' + end + SECOND + b'QUIT\r\n')
                replies = []
                try:
                    while True:
                        replies.append(d.reply())
                except (EOFError, ConnectionError):
                    pass
                accepted = [r for r in replies if 'queued as' in r]
                expect(len(accepted) <= 1, True, f'smtpd_forbid_bare_newline={setting}, {end!r}: replies {replies}, one message')
        mail.wait_for_empty_queue()
        expect(mail.mailbox('bob'), [], f'smtpd_forbid_bare_newline={setting}: smuggled messages')
