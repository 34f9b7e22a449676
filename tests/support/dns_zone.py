"""A DNS server for one scenario: answers from a table over UDP on a loopback port of its own.

    zone = Zone({('far.test', 'MX'): [(10, 'mx1.far.test'), (20, 'mx2.far.test')], ('mx1.far.test', 'A'): ['127.0.0.11']})
    Instance(main=f'ekiden_dns_server = 127.0.0.1:{zone.port}\n')

A name that is in no row does not exist; a name in `failing` is answered SERVFAIL, one in `silent` not at all. `asked` lists
what was asked. What is not there may be remembered for `negative_ttl` seconds.
"""
import socket, struct, threading

TYPES = {'A': 1, 'NS': 2, 'CNAME': 5, 'SOA': 6, 'PTR': 12, 'MX': 15, 'TXT': 16, 'AAAA': 28}
NAMES = {number: name for name, number in TYPES.items()}


def wire_name(name):
    labels = [label for label in name.rstrip('.').split('.') if label]
    return b''.join(bytes([len(label)]) + label.encode() for label in labels) + b'\0'


def data_of(kind, value):
    if kind == 'A':
        return socket.inet_pton(socket.AF_INET, value)
    if kind == 'AAAA':
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == 'MX':
        return struct.pack('>H', value[0]) + wire_name(value[1])
    if kind == 'TXT':
        return bytes([len(value)]) + value.encode()
    return wire_name(value)


def record(name, kind, data, ttl=60):
    return wire_name(name) + struct.pack('>HHIH', TYPES[kind], 1, ttl, len(data)) + data


class Zone(threading.Thread):
    def __init__(self, rows, failing=(), negative_ttl=1, port=0):
        super().__init__(daemon=True)
        self.rows, self.failing, self.silent, self.asked, self.negative_ttl = dict(rows), set(failing), set(), [], negative_ttl
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(('127.0.0.1', port))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            answer = self.answer(query)
            if self.asked[-1][0] not in self.silent:
                self.socket.sendto(answer, peer)

    def answer(self, query):
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1:at + 1 + length].decode().lower())
            at += 1 + length
        kind = NAMES.get(struct.unpack('>H', query[at + 1:at + 3])[0], '')
        name = '.'.join(labels)
        self.asked.append((name, kind))
        values = self.rows.get((name, kind), [])
        # A name exists when a row has it or a name below it.
        exists = any(row == name or row.endswith('.' + name) for row, _ in self.rows)
        code = 2 if name in self.failing else 0 if exists else 3
        answers = b''.join(record(name, kind, data_of(kind, value)) for value in values)
        soa = record(name, 'SOA', wire_name('ns.test') + wire_name('root.test') + struct.pack('>IIIII', 1, 60, 60, 60, self.negative_ttl))
        header = query[:2] + struct.pack('>HHHHH', 0x8580 | code, 1, len(values), 0 if values else 1, 0)
        return header + query[12:at + 5] + answers + (b'' if values else soa)
