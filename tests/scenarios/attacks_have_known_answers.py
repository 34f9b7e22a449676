"""The attack list: what each trick of a hostile client is answered, that nothing it says becomes a second message, a header
or a log line of its own, and that the next client is served as if nothing had been."""
import os, re, socket, sys

from instance import Instance, expect

EHLO = b'EHLO client.test\r\n'
ENVELOPE = b'MAIL FROM:<a@remote.test>\r\nRCPT TO:<alice@example.test>\r\n'
EVIL = b'MAIL FROM:<evil@remote.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: evil\r\n\r\nevil\r\n.\r\n'
DATA = b'DATA\r\n<3>'
# What is sent, "<3>" where the client waits for its third reply; the codes of all replies; "$": the server hangs up.
ATTACKS = [
    # --- where a message ends
    ('bare LF around the dot', ENVELOPE + DATA + b'x\n.\n' + EVIL, '250 250 354 250'),
    ('bare CR around the dot', ENVELOPE + DATA + b'x\r.\r' + EVIL, '250 250 354 250'),
    ('LF dot CRLF', ENVELOPE + DATA + b'x\n.\r\n' + EVIL, '250 250 354 250'),
    ('CRLF dot LF', ENVELOPE + DATA + b'x\r\n.\n' + EVIL, '250 250 354 250'),
    ('CR CRLF dot CR CRLF', ENVELOPE + DATA + b'x\r\r\n.\r\r\n' + EVIL, '250 250 354 250'),
    ('NUL before the dot', ENVELOPE + DATA + b'x\r\n\0.\r\n' + EVIL, '250 250 354 250'),
    ('NUL behind the dot', ENVELOPE + DATA + b'x\r\n.\0\r\n' + EVIL, '250 250 354 250'),
    ('NUL within the line end', ENVELOPE + DATA + b'x\r\0\n.\r\0\n' + EVIL, '250 250 354 250'),
    ('blank behind the dot', ENVELOPE + DATA + b'x\r\n. \r\n' + EVIL, '250 250 354 250'),
    ('commands behind the end', ENVELOPE + DATA + b'x\r\n.\r\nRSET\r\n', '250 250 354 250 250'),
    # --- BDAT
    ('BDAT without MAIL', b'BDAT 6\r\nQUIT\r\n', '503'),
    ('BDAT behind a refused recipient', b'MAIL FROM:<a@remote.test>\r\nRCPT TO:<x@far.test>\r\nBDAT %d LAST\r\n' % len(EVIL) + EVIL, '250 454 554'),
    ('BDAT behind the last one', ENVELOPE + b'BDAT 3 LAST\r\nx\r\nBDAT 6 LAST\r\nQUIT\r\n', '250 250 250 503'),
    ('BDAT -1', ENVELOPE + b'BDAT -1\r\n' + EVIL, '250 250 521 $'),
    ('BDAT +5', ENVELOPE + b'BDAT +5 LAST\r\n' + EVIL, '250 250 521 $'),
    ('BDAT in hexadecimal', ENVELOPE + b'BDAT 0x10 LAST\r\n' + EVIL, '250 250 521 $'),
    ('BDAT 2^64', ENVELOPE + b'BDAT 18446744073709551616 LAST\r\n' + EVIL, '250 250 521 $'),
    ('BDAT 2^63', ENVELOPE + b'BDAT 9223372036854775808 LAST\r\n' + EVIL, '250 250 521 $'),
    ('BDAT far beyond the limit', ENVELOPE + b'BDAT 30000 LAST\r\n' + b'x' * 30000, '250 250 552'),
    ('BDAT with two words more', ENVELOPE + b'BDAT 5 LAST now\r\n' + EVIL, '250 250 521 $'),
    ('BDAT without a number', ENVELOPE + b'BDAT LAST\r\n' + EVIL, '250 250 521 $'),
    ('BDAT and DATA', ENVELOPE + b'BDAT 3\r\nx\r\nDATA\r\n<4>BDAT 0 LAST\r\n', '250 250 250 503 250'),
    ('a chunk that looks like the end', ENVELOPE + b'BDAT %d LAST\r\nx\r\n.\r\n' % (len(EVIL) + 6) + EVIL, '250 250 250'),
    # --- bytes that do not belong
    ('NUL in a verb', b'MA\0IL FROM:<a@remote.test>\r\n', '50[0-3]'),
    ('NUL in an address', b'MAIL FROM:<a\0b@remote.test>\r\nRCPT TO:<bob@example.test>\r\n', '(501|250) (503|250)'),
    ('NUL in content', ENVELOPE + DATA + b'Subject: a\0b\r\n\r\nc\0d\r\n.\r\n', '250 250 354 250'),
    ('CR in EHLO', b'EHLO a\rReceived: evil\r\n', '250'),
    ('angle brackets in EHLO', b'EHLO <a)(b>;"c"\r\n', '250'),
    ('CR in an address', b'MAIL FROM:<"a\rb"@remote.test>\r\nRCPT TO:<bob@example.test>\r\n', '(501|250) (503|250)'),
    ('another protocol', b'GET / HTTP/1.1\r\n', '221 $'),
    ('a header', b'Subject: x\r\n', '221 $'),
    # --- too much
    ('a command of 100,000 bytes', b'NOOP ' + b'x' * 100000 + b'\r\n', '250'),
    ('an address of 10,000 bytes', b'MAIL FROM:<' + b'a' * 10000 + b'@remote.test>\r\n', '501'),
    ('a thousand parameters', b'MAIL FROM:<a@remote.test>' + b' SIZE=1' * 280 + b'\r\n', '(250|501|555)'),
    ('an EHLO name of 2000 bytes', b'EHLO ' + b'x' * 2000 + b'\r\n', '250'),
    ('3000 recipients', b'MAIL FROM:<a@remote.test>\r\n' + b'RCPT TO:<alice@example.test>\r\n' * 25, '250' + ' 250' * 20 + ' 452' * 5),
    ('a header line of 15,000 bytes', ENVELOPE + DATA + b'X-Long: ' + b'y' * 15000 + b'\r\n\r\nx\r\n.\r\n', '250 250 354 250'),
    ('1500 header lines', ENVELOPE + DATA + b'X-Many: y\r\n' * 1500 + b'\r\nx\r\n.\r\n', '250 250 354 250'),
    ('a message beyond the limit', ENVELOPE + DATA + (b'x' * 98 + b'\r\n') * 300 + b'.\r\n', '250 250 354 552'),
    ('SIZE beyond all numbers', b'MAIL FROM:<a@remote.test> SIZE=99999999999999999999999\r\n', '(501|552)'),
    ('SIZE below zero', b'MAIL FROM:<a@remote.test> SIZE=-1\r\n', '501'),
    # --- speaking for others
    ('a newline in an XCLIENT name', b'XCLIENT NAME=a+0D+0AReceived:+20evil\r\n', '501'),
    ('a newline in an XCLIENT greeting', b'XCLIENT HELO=a+0D+0AReceived:+20evil\r\n', '501'),
    ('a newline in an XCLIENT login', b'XCLIENT LOGIN=a+0A+0Aevil\r\n', '501'),
    ('a newline in an XFORWARD id', b'XFORWARD IDENT=a+0AReceived:+20evil\r\n', '501'),
    ('a newline in an XFORWARD name', b'XFORWARD NAME=a+0D+0Ab\r\n', '501'),
    ('NUL in an XCLIENT address', b'XCLIENT ADDR=127.0.0.1+00\r\n', '501'),
    ('XCLIENT amid a transaction', b'MAIL FROM:<a@remote.test>\r\nXCLIENT NAME=x.test\r\n', '250 503'),
    ('a broken xtext', b'XCLIENT NAME=a+0\r\n', '501'),
]


def converse(port, data, count):
    """the codes of the replies behind EHLO's, `count` of them or all until the server hangs up"""
    with socket.create_connection(('127.0.0.1', port), timeout=30, source_address=('127.0.0.9', 0)) as s, s.makefile('rb') as f:
        codes = []

        def wait_for(number):
            while number is None or len(codes) < number:
                line = f.readline()
                if not line:
                    raise EOFError
                if line[3:4] != b'-':
                    codes.append(line[:3].decode())
        try:
            wait_for(1)
            s.sendall(EHLO)
            wait_for(2)
            codes.clear()
            pieces = re.split(rb'<(\d+)>', data)
            s.sendall(pieces[0])
            for number, piece in zip(pieces[1::2], pieces[2::2]):
                wait_for(int(number))
                s.sendall(piece)
            wait_for(count)
            s.sendall(b'QUIT\r\n')
            wait_for(count + 1)
            if codes.pop() != '221':
                codes.append('no end')
        except (EOFError, ConnectionError):
            codes.append('$')
        return codes


def judge(port, name, data, want):
    got = ' '.join(converse(port, data, None if want.endswith('$') else len(want.split())))
    return got, bool(re.fullmatch(want.replace('$', r'\$'), got))


MAIN = '''message_size_limit = 20000
smtpd_recipient_limit = 20
smtpd_authorized_xclient_hosts = 127.0.0.9
smtpd_authorized_xforward_hosts = 127.0.0.9
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
'''

if __name__ == '__main__' and len(sys.argv) > 1:      # another server: attacks_have_known_answers.py PORT
    for name, data, want in ATTACKS:
        got, is_right = judge(int(sys.argv[1]), name, data, want)
        print('ok   ' if is_right else 'OTHER', f'{name}: {got}   (want {want})')
    sys.exit()

with Instance(main=MAIN) as mail:
    wrong = []
    for name, data, want in ATTACKS:
        got, is_right = judge(mail.port, name, data, want)
        if not is_right:
            wrong.append(f'{name}: got {got}, want {want}')
    expect(wrong, [], 'the answers')
    mail.wait_for_empty_queue()
    expect(mail.mailbox('bob'), [], 'messages for the victim')
    for text in mail.mailbox('alice'):
        header = text.split('\n\n')[0]
        expect(re.findall(r'^(?:Received: |\t?)evil', header, re.M), [], f'headers that a client made up in {header}')
    for line in mail.log().splitlines():
        expect(bool(re.match(r'\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ \S+\[\d+\]: ', line)), True, f'a log line of ours: {line!r}')
    mail.send(to=['carol@example.test'])
    mail.wait_for_mail('carol')
