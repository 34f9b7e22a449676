"""The domains of the site are asked of a socketmap server that stalls: whoever needs them hears 451 in bounded time and comes
back, everybody else is served at once, and no message is lost or returned."""
import socket, threading
from instance import Instance, expect, expect_match, wait_until

stalls = threading.Event()
goes_on = threading.Event()
asked = []


def serve(s):
    """one connection: NOTFOUND or OK for `example.test`, or nothing while it stalls"""
    with s:
        while request := s.recv(1000):
            asked.append(request)
            if stalls.is_set():
                goes_on.wait()
                return
            reply = b'OK x' if request.endswith(b' example.test,') else b'NOTFOUND '
            s.sendall(b'%d:%s,' % (len(reply), reply))


listener = socket.create_server(('127.0.0.1', 0))


def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
table = f'socketmap:inet:127.0.0.1:{listener.getsockname()[1]}:domains'

with Instance(main=f'''virtual_mailbox_domains = {table}
relay_domains = unionmap:{{proxy:{table}}}
alias_maps = inline:{{ root=/dev/null }}
''') as mail:
    mail.send('a@remote.test', ['alice@example.test'])
    mail.wait_for_mail('alice')
    expect(any(b'domains example.test' in a for a in asked), True, 'the table was asked')

    before = len(asked)
    stalls.set()
    waiting = []
    for i in range(12):    # more than may ask at a time
        d = mail.dialogue()
        d.say('EHLO client.test')
        d.say('MAIL FROM:<a@remote.test>')
        d.send(b'RCPT TO:<bob@example%d.test>\r\n' % i)
        waiting.append(d)
    wait_until(lambda: sum(b'domains example' in a for a in asked) >= 2, 'the stalled questions')

    # A domain that is in mydestination needs no table.
    for _ in range(3):
        with mail.dialogue() as d:
            expect_match('^250', d.say('EHLO client.test'), 'greeting')
            expect_match('^250', d.say('MAIL FROM:<a@remote.test>'), 'sender')
            expect_match('^250', d.say('RCPT TO:<root@localhost>'), 'a local domain')
            expect_match('^250', d.say('RSET'), 'reset')
    expect([d for d in waiting if not d.still_waits()], [], 'those who need the table and had an answer before')

    for d in waiting:
        expect_match('^451 4.3.0 .*Temporary lookup failure', d.reply(), 'who needs the table')
    # Four may ask at a time; the others, in line, need not wait as long for themselves.
    expect(len(asked) - before <= 8, True, f'{len(asked) - before} questions for twelve that waited')
    # From then on they hear it soon, from a table that is asked once more at most.
    before = len(asked)
    with mail.dialogue() as d:
        d.say('EHLO client.test')
        d.say('MAIL FROM:<a@remote.test>')
        expect_match('^451', d.say('RCPT TO:<bob@example9.test>'), 'again')
        expect_match('^250', d.say('RSET'), 'reset')
    expect(len(asked) - before <= 1, True, f'{len(asked) - before} questions for one')

    # Mail from this host is accepted without the table and cannot be routed without it: it is deferred, not returned.
    mail.run('sendmail', '-f', 'a@remote.test', 'bob@example.test', input='Subject: kept\n\nx\n')
    mail.wait_for_log(r'to=<bob@example.test>.*status=deferred')
    stalls.clear()
    goes_on.set()
    for d in waiting:
        d.close()

    def delivered():
        mail.run('postqueue', '-f')
        return mail.mailbox('bob')
    wait_until(lambda: delivered(), 'the mail that was kept')
    expect('status=bounced' in mail.log(), False, 'nothing was returned')
