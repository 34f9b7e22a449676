"""A far side that speaks TLS and takes logins, and can fail at each step of both."""
import base64, contextlib, hmac, ssl

from instance import FarServer


class SecureServer(FarServer):
    """users: {name: password}; mechanisms: what AUTH offers ('' = nothing), encrypted_mechanisms: inside TLS (default: the
    same); certificate: a pair of paths, or None for no TLS; wrapped: TLS from the first byte; fails: the step at which the
    connection is dropped ('STARTTLS', 'handshake', 'second EHLO', 'AUTH', 'challenge') or which goes wrong ('garbage').
    seen: (what was said, whether inside TLS); logins: (mechanism, user) of those that went well; resumed: how many
    handshakes took up an old session."""

    def __init__(self, users=None, mechanisms='', encrypted_mechanisms=None, certificate=None, wrapped=False, fails=None,
                 starttls_answer='220 2.0.0 ready', auth_answer=None, highest=None, **more):
        self.users, self.mechanisms, self.fails, self.wrapped = users or {}, mechanisms, fails, wrapped
        self.encrypted_mechanisms = mechanisms if encrypted_mechanisms is None else encrypted_mechanisms
        self.starttls_answer, self.auth_answer = starttls_answer, auth_answer
        self.seen, self.logins, self.names, self.resumed = [], [], [], 0
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
            self.context.sni_callback = lambda s, name, c: self.names.append(name)
            if highest:
                self.context.maximum_version = highest
        super().__init__(**more)

    def serve(self, s):
        with contextlib.suppress(OSError, EOFError, ValueError):
            self.converse(s)
        with contextlib.suppress(OSError):
            s.close()

    def shake(self, s):
        s = self.context.wrap_socket(s, server_side=True)
        self.resumed += bool(s.session_reused)
        return s

    def converse(self, s):
        encrypted, hellos, user, sender, recipients = self.wrapped, 0, None, None, []
        if self.wrapped:
            s = self.shake(s)
        f = s.makefile('rb')

        def say(text):
            s.sendall(text.encode() + b'\r\n')

        def hear():
            line = f.readline()
            if not line:
                raise EOFError
            text = line.decode(errors='replace').rstrip('\r\n')
            self.commands.append(text)
            self.seen.append((text, encrypted))
            return text

        say(self.greeting)
        while True:
            line = hear()
            verb = line.split(' ')[0].upper()
            if verb in ('EHLO', 'LHLO'):
                hellos += 1
                if hellos == 2 and self.fails == 'second EHLO':
                    return
                words = list(self.ehlo)
                if self.context and not encrypted:
                    words.append('STARTTLS')
                offered = self.encrypted_mechanisms if encrypted else self.mechanisms
                if offered:
                    words.append('AUTH ' + offered)
                say('\r\n'.join(f'250{"-" if i < len(words) - 1 else " "}{w}' for i, w in enumerate(words)))
            elif verb == 'STARTTLS':
                if self.fails == 'STARTTLS':
                    return
                say(self.starttls_answer)
                if not self.starttls_answer.startswith('2'):
                    continue
                if self.fails == 'handshake':
                    return
                if self.fails == 'garbage':
                    s.sendall(b'this is no handshake at all\r\n' * 5)
                    s.recv(1000)
                    return
                f.close()
                s = self.shake(s)
                f = s.makefile('rb')
                encrypted = True
            elif verb == 'AUTH':
                if self.fails == 'AUTH':
                    return
                user = self.log_in(line.split(' '), say, hear)
            elif verb == 'MAIL':
                answer = self.answer_to(line, '250 2.1.0 ok') if user or not self.users else '530 5.7.0 Authentication required'
                sender, recipients = (line, user) if answer.startswith('2') else None, []
                say(answer)
            elif verb == 'RCPT':
                answer = self.answer_to(line, '250 2.1.5 ok') if sender else '503 5.5.1 bad sequence'
                if answer.startswith('2'):
                    recipients.append(line)
                say(answer)
            elif verb == 'DATA' and recipients:
                say('354 go on')
                body = []
                while (part := f.readline()) != b'.\r\n':
                    if not part:
                        return
                    body.append(part)
                self.messages.append((*sender, recipients, b''.join(body), encrypted))
                say('250 2.0.0 queued as FAR')
            elif verb == 'DATA':
                say('554 5.5.1 no valid recipients')
            elif verb == 'QUIT':
                say('221 2.0.0 bye')
                return
            else:
                say('250 2.0.0 ok')

    def log_in(self, words, say, hear):
        """the user; None when the login was refused"""
        mechanism, user, good = words[1].upper(), None, False
        if self.fails == 'challenge':
            say('334 !!!not base64')
            hear()
        elif mechanism == 'PLAIN':
            _, user, password = base64.b64decode(words[2]).decode().split('\0')
            good = self.users.get(user) == password
        elif mechanism == 'LOGIN':
            say('334 VXNlcm5hbWU6')
            user = base64.b64decode(hear()).decode()
            say('334 UGFzc3dvcmQ6')
            good = self.users.get(user) == base64.b64decode(hear()).decode()
        elif mechanism == 'CRAM-MD5':
            challenge = b'<1.2@far.test>'
            say('334 ' + base64.b64encode(challenge).decode())
            user, digest = base64.b64decode(hear()).decode().rsplit(' ', 1)
            good = hmac.new(self.users.get(user, '').encode(), challenge, 'md5').hexdigest() == digest
        elif mechanism == 'XOAUTH2':
            name, token = base64.b64decode(words[2]).decode().rstrip('\1').split('\1')
            user = name.removeprefix('user=')
            good = token == 'auth=Bearer ' + self.users.get(user, '')
            if not good:
                say('334 ' + base64.b64encode(b'{"status":"401"}').decode())
                hear()
        if self.auth_answer:
            good = False
        if good:
            self.logins.append((mechanism, user))
        say('235 2.7.0 ok' if good else self.auth_answer or '535 5.7.8 authentication failed')
        return user if good else None
