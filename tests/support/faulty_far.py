"""A far side that does one wrong thing at one step, for every step and every thing: the cases, and the server that plays them.

Each case has an address of its own in 127/8, all on one port, by which the server knows what to do wrong; its recipients are
one@CASE.test and two@CASE.test. `transport_of(case)` is where a mail system under test must send them, `outcomes()` reads from
its log what became of each, with addresses and times masked, so that two mail systems can be compared.
"""
import contextlib, itertools, re, resource, selectors, socket, ssl, struct, threading
from dataclasses import dataclass

# What is said instead of the reply that is due ({good}: that reply, {code}: its code), and what follows.
GO, CLOSE, RESET, HANG = 'go', 'close', 'reset', 'hang'
FAULTS = {
    'close': (b'', CLOSE),
    'reset': (b'', RESET),
    'silence': (b'', HANG),
    'tempfail': (b'450 4.9.9 not now\r\n', GO),
    'permfail': (b'550 5.9.9 never\r\n', GO),
    'plainfail': (b'554 never\r\n', GO),
    'oddcode': (b'550 4.9.9 odd\r\n', GO),
    'shutdown': (b'421 4.9.8 closing\r\n', CLOSE),
    'nomail': (b'521 5.9.7 no mail here\r\n', GO),
    'early': (b'150 wait\r\n', GO),
    'other': (b'354 go on\r\n', GO),
    'fine': (b'250 2.0.0 fine\r\n', GO),
    'nocode': (b'999 what\r\n', GO),
    'garbage': (b'what do you want\r\n', GO),
    'nothing': (b'\r\n', GO),
    'bare': (b'{code}\r\n', GO),
    'short': (b'25\r\n', GO),
    'nul': (b'\0\0\0\r\n', GO),
    'nulinside': (b'{code} a\0b\r\n', GO),
    'halfclose': (b'{half}', CLOSE),
    'halfhang': (b'{half}', HANG),
    'long': (b'{code} ' + b'x' * 40000 + b'\r\n', GO),
    'many': (b'{code}-more\r\n' * 100 + b'{code} last\r\n', GO),
    'unended': (b'{code}-more\r\n' * 300, HANG),
    'mixed': (b'{code}-first\r\n550 5.9.9 last\r\n', GO),
    'mixedback': (b'550-5.9.9 first\r\n{code} last\r\n', GO),
    'twocodes': (b'550-5.9.8 first\r\n550 5.9.9 last\r\n', GO),
    'firstcode': (b'550-5.9.8 first\r\n550 last\r\n', GO),
    'flood': (b'what\r\n' * 300 + b'{good}', GO),
    'barelf': (b'{code} with LF\n', GO),
    'twice': (b'{good}{code} once more\r\n', GO),
    'last': (b'{good}', CLOSE),
    'stray': (b'what do you want\r\n{good}', GO),
    'blank': (b'\r\n{good}', GO),
}
SMTP_STEPS = ('greeting', 'ehlo', 'helo', 'starttls', 'auth', 'mail', 'rcpt', 'rcpt2', 'data', 'content', 'end', 'quit')
LMTP_STEPS = ('greeting', 'lhlo', 'mail', 'rcpt', 'rcpt2', 'data', 'content', 'end', 'end2', 'quit')
HANDSHAKE_FAULTS = ('close', 'reset', 'silence', 'garbage', 'early')


@dataclass(frozen=True)
class Case:
    protocol: str        # smtp, lmtp
    step: str
    fault: str
    pipelines: bool
    number: int

    @property
    def name(self):
        return f'{self.protocol}-{self.step}-{self.fault}' + ('-p' if self.pipelines else '')

    @property
    def address(self):
        return f'127.1.{self.number // 250}.{self.number % 250 + 1}'

    @property
    def transport(self):
        return {'starttls': 'tls', 'handshake': 'tls', 'auth': 'auth'}.get(self.step, self.protocol)


def cases():
    number = itertools.count()
    for protocol, steps in (('smtp', SMTP_STEPS), ('lmtp', LMTP_STEPS)):
        for pipelines in (False, True):
            for step in steps:
                if pipelines and step not in ('mail', 'rcpt', 'rcpt2', 'data', 'content', 'end', 'end2'):
                    continue
                for fault in FAULTS:
                    # What is right at this step is no fault.
                    if fault == 'other' and step == 'data' or fault == 'fine' and step not in ('greeting', 'starttls', 'auth', 'data', 'content'):
                        continue
                    yield Case(protocol, step, fault, pipelines, next(number))
    for fault in HANDSHAKE_FAULTS:
        yield Case('smtp', 'handshake', fault, False, next(number))


class FaultyFar:
    """Plays `cases` until close(). accepted: (case name, recipient) for each that was told 250 after the dot."""

    def __init__(self, cases, certificate=None):
        self.by_address = {case.address: case for case in cases}
        self.accepted, self.certificate = [], certificate
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        self.selector, self.port = selectors.DefaultSelector(), 0
        for address in [*self.by_address, '127.2.0.1']:
            listener = socket.create_server((address, self.port), backlog=64)
            self.port = self.port or listener.getsockname()[1]
            self.selector.register(listener, selectors.EVENT_READ)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            for key, _ in self.selector.select():
                s, _ = key.fileobj.accept()
                threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        with contextlib.suppress(OSError, EOFError):
            s.settimeout(30)
            Play(self, s, self.by_address.get(s.getsockname()[0])).run()
        with contextlib.suppress(OSError):
            s.close()


class Play:
    def __init__(self, far, s, case):
        self.far, self.s, self.case, self.buffer = far, s, case, b''
        self.is_lmtp = False

    def line(self):
        while b'\n' not in self.buffer:
            more = self.s.recv(65536)
            if not more:
                raise EOFError
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b'\n')
        return line.rstrip(b'\r').decode(errors='replace')

    def say(self, step, good):
        """the reply that is due at `step`, or what goes wrong there; raises EOFError where the conversation ends"""
        if not self.case or self.case.step != step:
            self.s.sendall(good.encode())
            return good
        what, then = FAULTS[self.case.fault]
        code = good[:3].encode()
        text = what.replace(b'{good}', good.encode()).replace(b'{half}', good[:5].encode()).replace(b'{code}', code)
        self.s.sendall(text)
        if then == RESET:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        if then == HANG:
            while self.s.recv(65536):
                pass
        if then != GO:
            raise EOFError
        is_good = self.case.fault != 'mixed' and (b'{good}' in what or b'{code}' in what)
        return good if is_good else text.decode(errors='replace').splitlines()[-1]

    def run(self):
        self.say('greeting', '220 far.test ESMTP\r\n')
        has_sender, recipients, step = False, [], self.case.step if self.case else ''
        is_secure = False
        while True:
            line = self.line()
            verb = line.split(' ')[0].upper()
            if verb in ('EHLO', 'LHLO'):
                self.is_lmtp = verb == 'LHLO'
                if step == 'helo':
                    self.s.sendall(b'502 5.5.1 what\r\n')
                    continue
                words = ['far.test', 'ENHANCEDSTATUSCODES']
                if self.case and self.case.pipelines:
                    words.append('PIPELINING')
                if step in ('starttls', 'handshake') and not is_secure:
                    words.append('STARTTLS')
                if step == 'auth':
                    words.append('AUTH PLAIN')
                self.say(verb.lower(), ''.join(f'250{"-" if word != words[-1] else " "}{word}\r\n' for word in words))
            elif verb == 'STARTTLS':
                if not self.say('starttls', '220 2.0.0 go ahead\r\n').startswith('220'):
                    continue
                if step == 'handshake':
                    self.s.recv(1)
                    self.say('handshake', '220 2.0.0 go ahead\r\n')
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.far.certificate)
                self.s = context.wrap_socket(self.s, server_side=True)
                self.buffer, is_secure = b'', True
            elif verb == 'DATA':
                if not recipients:
                    self.s.sendall(b'503 5.5.1 nobody\r\n')
                    continue
                if not self.say('data', '354 go on\r\n').startswith('354'):
                    continue
                if step == 'content':
                    if FAULTS[self.case.fault][1] in (CLOSE, RESET):
                        self.line()     # else what the client sees depends on who is faster
                    self.say('content', '250 2.0.0 taken\r\n')
                while self.line() != '.':
                    pass
                for i, recipient in enumerate(recipients if self.is_lmtp else recipients[:1]):
                    reply = self.say('end2' if i else 'end', '250 2.0.0 taken\r\n')
                    if reply.startswith('2'):
                        self.far.accepted += [(self.case.name if self.case else 'backup', r) for r in ([recipient] if self.is_lmtp else recipients)]
                recipients = []
            elif verb == 'QUIT':
                self.say('quit', '221 2.0.0 bye\r\n')
                return
            elif verb == 'MAIL':
                has_sender = self.say('mail', '250 2.1.0 ok\r\n').startswith('2')
            elif verb == 'RCPT' and not has_sender:
                self.s.sendall(b'503 5.5.1 from whom\r\n')
            elif verb == 'RCPT':
                reply = self.say('rcpt2' if recipients else 'rcpt', '250 2.1.5 ok\r\n')
                if reply.startswith('2'):
                    recipients.append(line.split(':', 1)[1].strip('<> '))
            elif verb == 'RSET':
                has_sender, recipients = False, []
                self.s.sendall(b'250 2.0.0 ok\r\n')
            else:
                self.say(verb.lower(), {'AUTH': '235 2.7.0 ok\r\n', 'HELO': '250 far.test\r\n'}.get(verb, '250 2.0.0 ok\r\n'))


def outcomes(log):
    """(case name, recipient's local part) → list of 'status dsn (text)', in the order of the log"""
    found = {}
    for m in re.finditer(r'to=<(one|two)@([\w-]+)\.test>, .*relay=(\S+), .*dsn=([\d.]+), status=(\w+) \((.*?)\)?$', log, re.M):
        local, name, relay, dsn, status, text = m.groups()
        text = text.replace('?', ' ')        # how a line break is shown
        text = re.sub(r'127\.[12]\.\d+\.\d+', 'ADDRESS', text)
        text = re.sub(r'\]:\d{4,5}', ']:PORT', text)
        text = re.sub(r'x{50,}', 'xxx', text)
        text = re.sub(r'(\d\d\d-more |what ){20,}', r'\1… ', text)
        found.setdefault((name, local), []).append(f'{status} {dsn} ({text})')
    return found
