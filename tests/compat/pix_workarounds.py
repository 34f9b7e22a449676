#!/usr/bin/env python3
"""What the SMTP client does for firewalls that break mail (smtp_pix_workarounds and its relatives), compared with what Postfix 3.7.11
did.

  tests/compat/pix_workarounds.py [--record]

Each case has a far side with a greeting of its own, on an address of its own. pix_workarounds.txt has the hello it heard, whether
the final dot came late and apart from the content, and the lines of the log. --record runs Debian's Postfix instead, in private
name spaces, and writes that file (root, and apt for the package).
"""
import contextlib, os, re, smtplib, socket, sys, threading, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
import reference
from instance import wait_until

RECORDED = os.path.join(ROOT, 'tests', 'compat', 'pix_workarounds.txt')
STARS = '220 ***********2*******0*****2*********0*00'
NOW = '-o smtp_pix_workaround_threshold_time=0 '
# greeting, settings of the transport
CASES = {
    'stars': (STARS, ''),
    'stars-now': (STARS, NOW),
    'only-stars': ('220 ********', NOW),
    'one-star': ('220 *', NOW),
    'letters': ('220 far.test ****', NOW),
    'stars-then-word': ('220 ******** ready', NOW),
    'digits': ('220 2002', NOW),
    'spaces': ('220 ** ** 02', NOW),
    'nothing': ('220', NOW),
    'esmtp': ('220 *** ESMTP', NOW),
    'two-lines': ('220-****\r\n220 ****', NOW),
    'two-lines-word': ('220-far.test\r\n220 ****', NOW),
    'none': (STARS, NOW + '-o smtp_pix_workarounds='),
    'only-delay': (STARS, NOW + '-o smtp_pix_workarounds=delay_dotcrlf'),
    'only-helo': (STARS, NOW + '-o smtp_pix_workarounds=disable_esmtp'),
    'upper-case': (STARS, NOW + '-o smtp_pix_workarounds=DISABLE_ESMTP'),
    'unknown': (STARS, NOW + '-o smtp_pix_workarounds=disable_esmtp,delay_dot'),
    'always-ehlo': (STARS, NOW + '-o smtp_always_send_ehlo=yes'),
    'maps': (STARS, NOW + '-o smtp_pix_workaround_maps=inline:{{{{127.3.0.19=delay_dotcrlf}}}}'),
    'maps-none': (STARS, NOW + '-o smtp_pix_workaround_maps=cidr:{folder}/none'),
    'maps-other': (STARS, NOW + '-o smtp_pix_workaround_maps=static:disable_esmtp'),
    'maps-no-pix': ('220 far.test', NOW + '-o smtp_pix_workaround_maps=static:disable_esmtp'),
    'maps-unknown': (STARS, NOW + '-o smtp_pix_workaround_maps=inline:{{{{127.9.9.9=delay_dotcrlf}}}}'),
    'maps-trouble': (STARS, NOW + '-o smtp_pix_workaround_maps=fail:x'),
    'young': (STARS, '-o smtp_pix_workaround_threshold_time=1h'),
    'lmtp': (STARS, '-o lmtp_pix_workaround_threshold_time=0'),
}
DELAY = 2       # seconds


class Far:
    def __init__(self, name, address, greeting):
        self.heard, self.gap, self.name = [], None, name
        self.listener = socket.create_server((address, 25))
        threading.Thread(target=self.run, args=(greeting,), daemon=True).start()

    def run(self, greeting):
        while True:
            s, _ = self.listener.accept()
            with s, contextlib.suppress(OSError):
                self.serve(s, greeting)

    def serve(self, s, greeting):
        def say(line):
            s.sendall(line.encode() + b'\r\n')
        say(greeting)
        pending = b''
        def read_line():
            nonlocal pending
            while b'\n' not in pending:
                piece = s.recv(65536)
                if not piece:
                    raise OSError('the end')
                pending += piece
            line, _, pending = pending.partition(b'\n')
            return line.rstrip(b'\r').decode()
        while True:
            line = read_line()
            verb = line[:4].upper()
            if verb in ('EHLO', 'LHLO', 'HELO'):
                self.heard.append(verb)
                say('250-far.test\r\n250 8BITMIME' if verb != 'HELO' else '250 far.test')
            elif verb == 'DATA':
                say('354 go on')
                last = None
                while (line := read_line()) != '.':
                    last = time.monotonic()
                self.gap = time.monotonic() - last
                say('250 2.0.0 taken')
            elif verb == 'QUIT':
                say('221 bye')
                return
            else:
                say('250 2.0.0 ok')


def address_of(name):
    return f'127.3.0.{list(CASES).index(name) + 1}'


MAIN = f'''\
transport_maps = texthash:{{folder}}/transport
notify_classes =
relayhost =
mynetworks = 127.0.0.0/8
smtp_pix_workaround_delay_time = {DELAY}s
lmtp_pix_workaround_delay_time = {DELAY}s
default_process_limit = 100
lmtp_tcp_port = 25
'''


def transports():
    return 'sender.test discard:\n' + ''.join(f'{name}.case t-{name}:{"inet:" if name == "lmtp" else ""}[{address_of(name)}]\n' for name in CASES)


def master():
    return ''.join(f't-{name} unix - - n - - {"lmtp" if name == "lmtp" else "smtp"} {more}\n' for name, (_, more) in CASES.items())


def play(server):
    far = {name: Far(name, address_of(name), greeting) for name, (greeting, _) in CASES.items()}
    with smtplib.SMTP('127.0.0.1', server.port, local_hostname='client.test', timeout=60) as s:
        for name in CASES:
            s.sendmail('a@sender.test', [f'x@{name}.case'], 'Subject: x\n\nHello\n')
    got = {}
    for name in CASES:
        found = wait_until(lambda: re.search(rf'(\w+): to=<x@{name}\.case>, .*status=(\w+) \((.*)\)', server.log()), lambda: f'the end of {name}:\n{server.log()[-3000:]}')
        queue_id, status, text = found.groups()
        address = re.escape(address_of(name))
        said = re.findall(rf'[ls]mtp\[\d+\]: ((?:{queue_id}: (?!to=)|warning: |[^:]*{address}).*)', server.log())
        said = [line.replace(queue_id, 'ID').replace(address_of(name), 'FAR') for line in said if 'pix' in line.lower() and (queue_id in line or address_of(name) in line)]
        gap = far[name].gap
        late = 'not sent' if gap is None else 'late dot' if gap > DELAY * 0.7 else 'dot at once'
        got[name] = f'{" ".join(far[name].heard)}, {late}, {status}, {text.replace(address_of(name), "FAR") if status != "sent" else ""}; {" | ".join(said)}'
    warnings = re.findall(r'[ls]mtp\[\d+\]: (warning: .*)', server.log())
    got['warnings'] = ' | '.join(sorted({re.sub(r'\b(?=[A-F]*[0-9])[0-9A-F]{10,16}\b', 'ID', line) for line in warnings}))
    return got


if __name__ == '__main__':
    is_recording, player = reference.player()
    with player(MAIN, master(), {'transport': transports(), 'none': '127.3.0.0/16 delay_dotcrlf\n'}) as server:
        got = play(server)
    reference.conclude(RECORDED, got, is_recording, 'far sides')
