"""A milter that plays a script and writes down what it is told, packet by packet: for comparisons and for hostile ones.

    with Milter({'M': reply('554 5.7.1 no'), 'E': [add_header('X-A', 'b'), b'c']}) as milter:
        ... smtpd_milters = inet:127.0.0.1:{milter.port} ...
        milter.heard        # ['O version=6 …', 'D C j=… ', 'C name=… ', …], one list of lines for all connections

The wire is that of libmilter (mfapi.h, mfdef.h): a 4-byte length, a command letter, its bytes. A script maps a letter, or a letter
and the beginning of what it says ('L:Subject'), to a packet, several, CLOSE, SILENCE, or bytes of any kind (Raw).
"""
import contextlib, os, socket, struct, threading

from instance import wait_until

CLOSE, SILENCE = 'close', 'silence'
ALL_ACTIONS, ALL_STEPS = 0x1ff, 0x1fffff
SKIPS, REJECTED, LEADING_SPACE = 0x400, 0x800, 0x100000
NO_REPLY = {'L': 0x80, 'C': 0x1000, 'H': 0x2000, 'M': 0x4000, 'R': 0x8000, 'T': 0x10000, 'U': 0x20000, 'N': 0x40000, 'B': 0x80000}
STAGES = {0: 'connect', 1: 'helo', 2: 'mail', 3: 'rcpt', 4: 'data', 5: 'eom', 6: 'eoh'}


class Raw(bytes):
    """sent as it is, without a length in front"""


def strings(*texts):
    return b''.join(text.encode('utf-8', 'surrogateescape') + b'\0' for text in texts)


def reply(text): return b'y' + strings(text)
def quarantine(reason): return b'q' + strings(reason)
def add_header(name, value): return b'h' + strings(name, value)
def insert_header(index, name, value): return b'i' + struct.pack('!I', index) + strings(name, value)
def change_header(index, name, value): return b'm' + struct.pack('!I', index) + strings(name, value)
def replace_body(data): return b'b' + data
def change_from(*texts): return b'e' + strings(*texts)
def add_recipient(address): return b'+' + strings(address)
def add_recipient_with(*texts): return b'2' + strings(*texts)
def remove_recipient(address): return b'-' + strings(address)


def shown(data):
    return data.decode('utf-8', 'backslashreplace').replace('\0', ',').replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')


def described(letter, data):
    if letter == 'O' and len(data) == 12:
        return 'version={} actions={:x} steps={:x}'.format(*struct.unpack('!III', data))
    if letter == 'D':
        words = data[1:].split(b'\0')
        return shown(data[:1]) + ''.join(f' {shown(name)}={shown(value)}' for name, value in zip(words[0:-1:2], words[1::2]))
    if letter == 'C':
        name, rest = data.split(b'\0', 1)
        port = struct.unpack('!H', rest[1:3])[0] if len(rest) >= 3 else None
        return f'{shown(name)} family={shown(rest[:1])} port={port and "PORT"} address={shown(rest[3:])}'
    return shown(data)


class Milter(threading.Thread):
    """version, actions and steps: what it answers to the negotiation. symbols: {stage number: 'names'} that it wants. negotiation: a
    packet instead of all that, or CLOSE, SILENCE, Raw."""

    def __init__(self, script=None, version=6, actions=ALL_ACTIONS, steps=0, symbols=None, negotiation=None, port=0, path=None, listens=True):
        super().__init__(daemon=True)
        self.play(script, version, actions, steps, symbols, negotiation)
        if path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            os.chmod(path, 0o666)
        else:
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(('127.0.0.1', port))
            self.port = self.listener.getsockname()[1]
        self.connections, self.open = 0, 0
        if listens:
            self.listener.listen(128)
            self.start()

    def play(self, script=None, version=6, actions=ALL_ACTIONS, steps=0, symbols=None, negotiation=None):
        """a new script, and nothing heard yet; for connections from now on"""
        self.script, self.version, self.actions, self.steps, self.symbols, self.negotiation = script or {}, version, actions, steps, symbols or {}, negotiation
        self.parts = []
        return self

    @property
    def heard(self):
        """one connection after the other, in the order in which they came"""
        return [line for part in self.parts for line in part]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open += 1
            part = []
            self.parts.append(part)
            threading.Thread(target=self.serve, args=(connection, part), daemon=True).start()

    def wait_for_end(self):
        """until everybody who came has gone"""
        wait_until(lambda: self.open == 0, lambda: f'the end of the connections to a milter; it heard {self.heard}')

    def serve(self, connection, heard):
        try:
            with connection, connection.makefile('rb') as f:
                while (head := f.read(4)) and len(head) == 4:
                    size = struct.unpack('!I', head)[0]
                    packet = f.read(size)
                    if len(packet) != size:
                        heard.append('broken off')
                        return
                    letter, data = chr(packet[0]), packet[1:]
                    heard.append(f'{letter} {described(letter, data)}'.rstrip())
                    if letter == 'Q':
                        return
                    if not self.answer(connection, f, letter, data):
                        return
        except OSError:
            heard.append('(reset)')
        finally:
            self.open -= 1

    def answer(self, connection, f, letter, data):
        if letter == 'O':
            answer = self.negotiation
            if answer is None:
                offered = struct.unpack('!III', data)
                answer = b'O' + struct.pack('!III', min(self.version, offered[0]), self.actions & offered[1], self.steps & offered[2])
                answer += b''.join(struct.pack('!I', stage) + strings(names) for stage, names in self.symbols.items())
        elif letter in 'DAK':
            return True
        else:
            text = shown(data)
            key = max((k for k in self.script if k[0] == letter and text.startswith(k[2:])), key=len, default=None)
            if key is None:
                answer = [] if self.steps & NO_REPLY.get(letter, 0) else b'c'
            else:
                answer = self.script[key]
        for packet in answer if isinstance(answer, (list, tuple)) else [answer]:
            if packet == CLOSE:
                return False
            if packet == SILENCE:
                f.read()
                return False
            if callable(packet):
                packet(connection)
                continue
            connection.sendall(packet if isinstance(packet, Raw) else struct.pack('!I', len(packet)) + packet)
        return True
