"""The domains of the site are asked of a socketmap server that stalls: whoever needs them hears 451 in bounded time and comes
back, everybody else is served at once, and no message is lost or returned."""
import socket, threading, time
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

    time_of_stall = time.monotonic()
    stalls.set()
    waiting = []
    for i in range(6):    # more than may ask at a time
        d = mail.dialogue()
        d.say('EHLO client.test')
        d.say('MAIL FROM:<a@remote.test>')
        d.send(b'RCPT TO:<bob@example%d.test>\r\n' % i)
        waiting.append(d)
    wait_until(lambda: sum(b'domains example' in a for a in asked) >= 2, 'the stalled questions')

    # A domain that is in mydestination needs no table.
    started = time.monotonic()
    for _ in range(3):
        with mail.dialogue() as d:
            expect_match('^250', d.say('EHLO client.test'), 'greeting')
            expect_match('^250', d.say('MAIL FROM:<a@remote.test>'), 'sender')
            expect_match('^250', d.say('RCPT TO:<root@localhost>'), 'a local domain')
            expect_match('^250', d.say('RSET'), 'reset')
    expect(time.monotonic() - started < 4, True, f'others were served at once, not after {time.monotonic() - started:.1f} s')

    for d in waiting:
        expect_match('^451 4.3.0 .*Temporary lookup failure', d.reply(), 'who needs the table')
    expect(time.monotonic() - time_of_stall < 25, True, 'and heard so in bounded time')
    # From then on they hear it quickly.
    started = time.monotonic()
    with mail.dialogue() as d:
        d.say('EHLO client.test')
        d.say('MAIL FROM:<a@remote.test>')
        expect_match('^451', d.say('RCPT TO:<bob@example9.test>'), 'again')
        expect_match('^250', d.say('RSET'), 'reset')
    expect(time.monotonic() - started < 12, True, 'quickly')

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
