"""What a dialogue with a mail system left behind, in a form that does not vary from run to run: replies, content,
log lines; and the server that most of them talk with."""
import re, socket

# Passes everything on to `{{far}}`, a port, and changes no header of its own accord.
MAIN = '''\
myhostname = mail.golden.test
mydomain = golden.test
mydestination = golden.test
local_recipient_maps =
local_transport = smtp:[127.0.0.1]:{{far}}
default_transport = smtp:[127.0.0.1]:{{far}}
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_error_sleep_time = 0
notify_classes =
remote_header_rewrite_domain =
local_header_rewrite_clients =
smtp_send_xforward_command = no
'''

MASKS = [(r'\b(?=[A-F]*[0-9])[0-9A-F]{10,16}\b', 'ID'), (r'\[\d+\](?=:)', ''),
         (r'delay=\S+, delays=\S+,', 'delays,'), (r'127\.0\.0\.1:\d+', 'FAR'),
         (r'127\.0\.0\.1\]:\d+', '127.0.0.1]:FAR'), (r'(?<=message-id=)<\d{14}\.\S+>', '<ID>'), (r'/var/tmp/\S*/', 'FOLDER/'),
         (r'(?<= size=)\d+', 'N')]


def masked(text):
    for pattern, word in MASKS:
        text = re.sub(pattern, word, text)
    return text


def mail(*lines, sender='a@remote.test', to='b@golden.test'):
    """the commands that hand in a message of these lines"""
    return ['EHLO client.test', f'MAIL FROM:<{sender}>', f'RCPT TO:<{to}>', 'DATA', '\r\n'.join([*lines, '.']), 'QUIT']


def talk(port, commands, source='127.0.0.1'):
    """the replies, one line each"""
    replies = []
    with socket.create_connection(('127.0.0.1', port), 30, (source, 0)) as s, s.makefile('rb') as f:
        def reply():
            line = '...-'
            while line[3:4] == '-':
                try:
                    line = f.readline().decode('utf-8', 'surrogateescape').rstrip('\r\n')
                except ConnectionResetError:
                    line = ''
            replies.append(line or '(closed)')
        reply()
        for command in commands:
            s.sendall(command.encode('utf-8', 'surrogateescape') + b'\r\n')
            reply()
            if replies[-1] == '(closed)':
                break
    return replies


def own_part(content):
    """without the Received field in front"""
    return re.sub(rb'^(Received: .*\n([ \t].*\n)*)', b'', content.replace(b'\r\n', b'\n'))


def told(log, programs, words):
    """of the lines since the last client connected, those of these programs in which one of the words is"""
    lines = []
    for line in re.split(r'smtpd\[\d+\]: connect from', log)[-1].splitlines():
        found = re.search(rf'postfix/({programs})\[\d+\]: (.*)', line)
        if found and re.search(words, found[2]) and 'compatibility' not in found[2]:
            lines.append(f'{found[1]}: {masked(found[2])}')
    return lines
