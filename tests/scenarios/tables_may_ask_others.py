"""Recipients from sqlite:, aliases from socketmap: and tcp:; a server that is silent lets the sender try again, and others
are served meanwhile."""
import os, socket, sqlite3, threading
from instance import Instance, expect, expect_match


def serve(answer):
    """a server that answers each request with what `answer` makes of it; None: nothing, for ever"""
    listener = socket.create_server(('127.0.0.1', 0))

    def one(s):
        with s:
            while request := s.recv(1000):
                reply = answer(request)
                if reply is not None:
                    s.sendall(reply)

    def accept():
        while True:
            threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def netstring(text):
    return b'%d:%s,' % (len(text), text)


maps = serve(lambda q: None if b'hang@' in q else netstring(b'OK bob@example.test' if b'carol@example.test' in q else b'NOTFOUND '))
tcp = serve(lambda q: b'200 alice@example.test\n' if q == b'get dave@example.test\n' else b'500 no\n')
with Instance(main=f'''virtual_mailbox_maps = sqlite:$config_directory/users.cf
virtual_alias_maps = socketmap:inet:127.0.0.1:{maps}:m, tcp:127.0.0.1:{tcp}
''', start=False) as mail:
    database = os.path.join(mail.config, 'users.db')
    with sqlite3.connect(database) as db:
        db.execute('CREATE TABLE users(address TEXT, folder TEXT)')
        db.executemany('INSERT INTO users VALUES(?, ?)', [('alice@example.test', 'alice/'), ('bob@example.test', 'bob/')])
    mail.write('users.cf', f"dbpath = {database}\nquery = SELECT folder FROM users\n  WHERE address = '%s'\n")
    mail.start()
    mail.send('a@remote.test', ['carol@example.test'])
    mail.wait_for_mail('bob')
    mail.send('a@remote.test', ['dave@example.test'])
    mail.wait_for_mail('alice')
    with mail.dialogue() as d:
        d.say('EHLO client.test')
        d.say('MAIL FROM:<a@remote.test>')
        expect_match('^550 5.1.1', d.say("RCPT TO:<x'--@example.test>"), 'nobody')
    # While one waits for the server that is silent, another is served.
    with mail.dialogue() as waiting:
        waiting.say('EHLO client.test')
        waiting.say('MAIL FROM:<a@remote.test>')
        waiting.send(b'RCPT TO:<hang@example.test>\r\n')
        with mail.dialogue() as d:
            d.say('EHLO client.test')
            d.say('MAIL FROM:<a@remote.test>')
            expect_match('^250', d.say('RCPT TO:<alice@example.test>'), 'another client')
        expect(waiting.still_waits(), True, 'the other client was served meanwhile')
        expect_match('^451 4', waiting.reply(), 'the one that waited')
