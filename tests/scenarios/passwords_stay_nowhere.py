"""After a login neither the log, nor the letter to the postmaster, nor the server's memory holds the password."""
import base64, os, re
from dovecot import Dovecot, USERS
from instance import Instance, expect, may_look_into_processes, skip

if not may_look_into_processes():
    skip('may not read the memory of other processes')
PASSWORD = 'Xq7-unmistakable-Zw9'
USERS['carol'] = PASSWORD


def b64(text):
    return base64.b64encode(text.encode()).decode()


def memory(pid):
    with open(f'/proc/{pid}/maps') as maps, open(f'/proc/{pid}/mem', 'rb') as mem:
        for line in maps:
            span, mode = line.split()[:2]
            if not mode.startswith('rw'):
                continue
            begin, end = (int(x, 16) for x in span.split('-'))
            try:
                mem.seek(begin)
                yield mem.read(end - begin)
            except (OSError, ValueError):
                pass


PLAIN = b64('\0carol\0' + PASSWORD)
MAIN = '''notify_classes = resource, software, protocol, policy
error_notice_recipient = alice@example.test
smtpd_forbid_unauth_pipelining = no
'''
with Dovecot() as dovecot, Instance(main=dovecot.main() + MAIN) as mail:
    with mail.dialogue() as c:
        c.say('EHLO client.test')
        expect(c.say('AUTH PLAIN ' + PLAIN)[:3], '235', 'PLAIN')
    with mail.dialogue() as c:
        c.say('EHLO client.test')
        c.say('AUTH LOGIN')
        c.say(b64('carol'))
        expect(c.say(b64(PASSWORD))[:3], '235', 'LOGIN')
    # a client that goes on although it was refused, and one that does not listen at all
    with mail.dialogue() as c:
        c.say('EHLO client.test')
        c.say('AUTH FOO')
        c.say('=' + b64(PASSWORD))
    with mail.dialogue() as c:
        c.say('EHLO client.test')
        c.say('MAIL FROM:<a@remote.test>')
        c.say('AUTH PLAIN ' + PLAIN)
        expect(c.say(PLAIN)[:3], '500', 'a password where a command is due')
    with mail.dialogue() as c:
        c.send('HELO client.test\r\nAUTH PLAIN ' + PLAIN + '\r\nNOOP\r\n')
        for _ in range(3):
            c.reply()
    with mail.dialogue() as c:
        c.say('EHLO client.test')
        c.say('AUTH PLAIN ' + PLAIN + 'A' * 3000)
        c.say('AUTH LOGIN')
        c.say(PLAIN + 'A' * 13000)
    mail.wait_for_mail('alice')
    mail.wait_for_log('disconnect', count=6)
    mail.wait_for_empty_queue()
    hidden = [PASSWORD, PLAIN, PLAIN[12:-2], b64(PASSWORD), b64(PASSWORD)[:12]]
    for text in hidden:
        expect(text in mail.log(), False, 'the log holds ' + text)
        expect(any(text in letter for letter in mail.mailbox('alice')), False, 'a letter to the postmaster holds ' + text)
    expect(any(re.search(r'In:  AUTH (FOO|PLAIN|LOGIN)', letter) for letter in mail.mailbox('alice')), True, 'a transcript shows that there was a login')
    expect(any(b'client.test' in part for part in memory(mail.engine_pid())), True, 'the memory of the engine can be looked at')
    for pid, line in mail.children().items():
        found = [text for part in memory(pid) for text in hidden if text.encode() in part]
        expect(found, [], 'what is left in the memory of ' + line)
