"""A relay host that wants a login (PLAIN or LOGIN) when it knows users, and keeps what it was sent: who, from whom, to whom, what."""
import base64, socketserver, threading
from dataclasses import dataclass, field

from instance import wait_until


@dataclass
class Message:
    user: str = ''
    sender: str = ''
    recipients: list = field(default_factory=list)
    content: bytes = b''


class Relay(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    def __init__(self, host, port, users=None):
        self.users, self.messages = users or {}, []
        super().__init__((host, port), Session)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def wait_for(self, count):
        wait_until(lambda: len(self.messages) >= count, f'{count} messages at the relay')
        return self.messages

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Session(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b'\r\n')

    def ask(self, prompt):
        self.say('334 ' + base64.b64encode(prompt).decode())
        return base64.b64decode(self.rfile.readline())

    def credentials(self, words):
        if words[1].upper() == 'PLAIN':
            return base64.b64decode(words[2]).split(b'\0')[1:]
        name = base64.b64decode(words[2]) if len(words) > 2 else self.ask(b'Username:')
        return name, self.ask(b'Password:')

    def handle(self):
        user, message = '', Message()
        self.say('220 relay.test ESMTP')
        while line := self.rfile.readline().decode(errors='replace').strip():
            words = line.split()
            verb = words[0].upper()
            if verb == 'EHLO':
                self.say('250-relay.test\r\n' + ('250-AUTH PLAIN LOGIN\r\n' if self.server.users else '') + '250 8BITMIME')
            elif verb == 'AUTH':
                name, password = (part.decode() for part in self.credentials(words))
                user = name if self.server.users.get(name) == password else ''
                self.say('235 2.7.0 ok' if user else '535 5.7.8 no')
            elif verb == 'MAIL' and self.server.users and not user:
                self.say('530 5.7.0 log in first')
            elif verb == 'MAIL':
                message = Message(user, line)
                self.say('250 ok')
            elif verb == 'RCPT':
                message.recipients.append(line)
                self.say('250 ok')
            elif verb == 'DATA':
                self.say('354 go on')
                while (part := self.rfile.readline()) not in (b'.\r\n', b''):
                    message.content += part
                self.server.messages.append(message)
                self.say('250 ok')
            elif verb == 'QUIT':
                return self.say('221 bye')
            else:
                self.say('250 ok')
