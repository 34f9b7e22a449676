"""A policy server on a Unix socket that takes up one connection after the other has more clients than its backlog holds: the others
wait for their turn, as long as the time limit allows, and nobody is told to try later."""
import os, socket, threading, time
from instance import Instance, expect

COUNT = 12
with Instance(main='''smtpd_peername_lookup = no
smtpd_recipient_restrictions = check_policy_service { unix:policy, timeout=20s, try_limit=1 }
''') as mail:
    path = os.path.join(mail.spool, 'policy')
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    os.chmod(path, 0o666)
    server.listen(0)
    served = []

    def serve():
        for _ in range(COUNT):
            connection, _ = server.accept()
            with connection, connection.makefile('rb') as f:
                while f.readline() != b'\n':
                    pass
                # what it has to think about
                threading.Event().wait(0.05)
                connection.sendall(b'action=DUNNO\n\n')
            served.append(True)

    clients = [mail.dialogue() for _ in range(COUNT)]
    for c in clients:
        c.say('EHLO client.test')
        c.say('MAIL FROM:<a@remote.test>')
    for c in clients:
        c.send('RCPT TO:<alice@example.test>\r\n')
    begun = time.monotonic()
    threading.Thread(target=serve, daemon=True).start()
    expect([c.reply() for c in clients], ['250 2.1.5 Ok'] * COUNT, 'the answers')
    expect(time.monotonic() - begun < 20, True, 'in time')
    expect(len(served) >= COUNT - 1, True, 'questions that were asked')
    for c in clients:
        c.close()
