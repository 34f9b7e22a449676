#!/usr/bin/env python3
"""What a client is answered, what the log says and what is delivered, compared with what Postfix 3.7.11 did, byte for byte.

  tests/compat/receiving.py [--record] [PATTERN ...]      (of `group/case`)

The cases are in tests/compat/receiving/*.py: settings of a service of their own (and of a cleanup service), and dialogues. The file
.txt beside each has what Postfix made of them; --record runs Debian's Postfix and writes it, for these patterns only. What differs on
purpose is in own.diff, and why in docs/golden-differences.md; --own writes it anew. Needs root, for the network name space.
"""
import argparse, contextlib, difflib, fnmatch, glob, importlib, json, os, pathlib, re, select, socket, ssl, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CASES = os.path.join(ROOT, 'tests', 'compat', 'receiving')
sys.path[:0] = [os.path.join(ROOT, 'tests', 'support'), CASES]
import reference
from certificates import Certificates
from cyrus import add_user
from dns_zone import Zone
from instance import skip, wait_until
from own_mounts import in_own_mount_namespace

MAIN = '''\
compatibility_level = 3.6
myhostname = mail.golden.test
mydomain = golden.test
mydestination = $myhostname, localhost.$mydomain, localhost, $mydomain
mynetworks = 127.0.0.1/32 [::1]/128
inet_interfaces = 127.0.0.1, ::1
inet_protocols = all
local_recipient_maps = inline:{ {user1=x} {user2=x} {alice=x} {bob=x} {postmaster=x} {root=x} {abuse=x} {-dash=x} }
local_transport = virtual
virtual_mailbox_domains =
virtual_mailbox_base = {private}/vmail
virtual_mailbox_maps = static:VMAIL/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
default_transport = discard
relay_transport = discard
alias_maps =
alias_database =
notify_classes =
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
smtpd_junk_command_limit = 1000
smtpd_timeout = 30
smtpd_forbid_bare_newline = no
smtpd_forbid_unauth_pipelining = no
ekiden_dns_server = 127.0.0.1:53
cyrus_sasl_config_path = {private}/sasl
smtpd_tls_chain_files = {private}/certificates/mail.both
'''
ROWS = {
    ('golden.test', 'MX'): [(10, 'mail.golden.test')], ('mail.golden.test', 'A'): ['127.0.0.1'],
    ('remote.test', 'MX'): [(10, 'mx.remote.test')], ('remote.test', 'A'): ['127.0.0.25'], ('mx.remote.test', 'A'): ['127.0.0.25'],
    ('client2.remote.test', 'A'): ['127.0.0.2'], ('liar.remote.test', 'A'): ['127.0.0.99'], ('a-only.test', 'A'): ['127.0.0.25'],
    ('six.remote.test', 'AAAA'): ['fd00::2'], ('2' + '.0' * 23 + '.0.0.0.0.0.0.d.f.ip6.arpa', 'PTR'): ['six.remote.test'],
    ('nullmx.test', 'MX'): [(0, '')], ('mxnohost.test', 'MX'): [(10, 'nohost.mxnohost.test')], ('noaddr.test', 'TXT'): ['no address here'],
    ('mxself.test', 'MX'): [(10, 'localmx.test')], ('localmx.test', 'A'): ['127.0.0.1'], ('six.test', 'AAAA'): ['fd00::25'],
    ('nsname.test', 'NS'): [('ns1.remote.test')], ('nsname.test', 'A'): ['127.0.0.25'], ('ns1.remote.test', 'A'): ['127.0.0.53'],
    ('sub.nsname.test', 'A'): ['127.0.0.25'],
    ('2.0.0.127.rbl.test', 'A'): ['127.0.0.2'], ('2.0.0.127.rbl.test', 'TXT'): ['Listed, see http://rbl.test/?ip=127.0.0.2'],
    ('2.0.0.127.many.test', 'A'): ['127.0.0.4', '127.0.0.10'], ('2.0.0.127.notxt.test', 'A'): ['127.0.0.10'],
    ('3.0.0.127.white.test', 'A'): ['127.0.0.2'], ('2.0.0.127.odd.test', 'A'): ['127.0.1.7'], ('2.0.0.127.odd.test', 'TXT'): ['$client is \x01bad\x7f "x" 100%'],
    ('spammer.test.rhsbl.test', 'A'): ['127.0.0.2'], ('spammer.test.rhsbl.test', 'TXT'): ['spammer.test is listed'],
    ('client2.remote.test.rhsbl.test', 'A'): ['127.0.0.5'], ('remote.test.rhsbl.test', 'A'): ['127.0.0.6'],
    ('spammer.test', 'A'): ['127.0.0.25'], ('spammer.test', 'MX'): [(10, 'mx.remote.test')], ('good.test.rhswl.test', 'A'): ['127.0.0.2'],
    ('client2.remote.test.rhswl.test', 'A'): ['127.0.0.2'],
    ('2.0.0.127.in-addr.arpa', 'PTR'): ['client2.remote.test'], ('4.0.0.127.in-addr.arpa', 'PTR'): ['liar.remote.test'],
    ('5.0.0.127.in-addr.arpa', 'PTR'): ['noa.remote.test'], ('25.0.0.127.in-addr.arpa', 'PTR'): ['mx.remote.test'],
    ('8.0.0.127.in-addr.arpa', 'PTR'): ['under_score.remote.test'], ('9.0.0.127.in-addr.arpa', 'PTR'): ['127.0.0.9'],
    ('10.0.0.127.in-addr.arpa', 'PTR'): ['servfail.test'],
}
USERS = {'test': 'testpass', 'other': 'otherpass'}
LOGGED = re.compile(r'^\w{3} [ \d]\d [\d:]{8} \S+ postfix(?:/(?P<case>[\w-]+))?/(?P<process>smtpd|cleanup|qmgr)\[\d+\]: (?P<text>.*)$')
DATE = r'(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [ \d]?\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}(?: \([A-Z]{3,4}\))?'


def escaped(data):
    text = data.decode('latin-1').replace('\\', '\\\\').encode('ascii', 'backslashreplace').decode()
    return re.sub(r'[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]', lambda m: f'\\x{ord(m.group()):02x}', text.replace('\r', '\\r').replace('\n', '\\n').replace('\t', '\\t'))


class Client:
    """plays the steps of one dialogue; `said` has what was exchanged"""

    def __init__(self, session, port, limit=8):
        self.said, self.buffer, self.ended, self.limit = [], b'', False, limit
        self.said.append(f'--- from {session["source"]}' + (f': {session["title"]}' if session['title'] else ''))
        to = session['to']
        self.socket = socket.socket(socket.AF_INET6 if ':' in to else socket.AF_INET)
        self.socket.bind((session['source'], 0))
        self.socket.settimeout(limit)
        self.socket.connect((to, port))
        if session['greeted']:
            self.read()
        for step in session['steps']:
            if self.ended:
                break
            self.play(step)
        self.socket.close()

    def play(self, step):
        if isinstance(step, str):
            self.send(step.encode() + b'\r\n')
            self.read()
        elif isinstance(step, bytes):
            self.send(step)
        elif isinstance(step, int):
            for _ in range(step):
                self.read()
        elif step[0] == 'close':
            self.said.append('(the client hangs up)')
            self.ended = True
        elif step[0] == 'end':
            while not self.ended:
                self.read()
        elif step[0] == 'tls':
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket, server_hostname='mail.golden.test')
            self.said.append('(TLS)')
        elif step[0] == 'until-heard':
            select.select([self.socket], [], [], self.socket.gettimeout())
        else:
            raise ValueError(step)

    def send(self, data):
        for line in data.splitlines(True) if b'\n' in data else [data]:
            text = escaped(line)
            self.said.append('C: ' + (text if len(text) < 300 else f'{text[:60]}...({len(line)} bytes in all)...{text[-20:]}'))
        try:
            self.socket.sendall(data)
        except OSError:
            self.ended = True

    def read(self):
        """one reply"""
        begun = time.monotonic()
        while True:
            while b'\n' not in self.buffer:
                try:
                    more = self.socket.recv(65536)
                except TimeoutError:
                    self.said.append('(no reply)')
                    self.ended = True
                    return
                except OSError:
                    more = b''
                if not more:
                    if self.buffer:
                        self.said.append('S: ' + escaped(self.buffer))
                    self.said.append('(the server hangs up)')
                    self.ended = True
                    return
                self.buffer += more
            if (waited := time.monotonic() - begun) >= 0.8:
                self.said.append(f'(after {round(waited)} s)')
                begun = time.monotonic()
            line, self.buffer = self.buffer.split(b'\n', 1)
            self.said.append('S: ' + escaped(line + b'\n'))
            if line[3:4] != b'-':
                return


def groups():
    """{group/case: case} of all groups"""
    found = {}
    for path in sorted(glob.glob(os.path.join(CASES, '*.py'))):
        group = os.path.basename(path)[:-3]
        if group != 'words':
            found |= {f'{group}/{case["name"]}': case for case in importlib.import_module(group).CASES}
    return found


def options(text):
    """lines of main.cf as options of a line in master.cf"""
    joined = re.sub(r'\n[ \t]+', ' ', text.strip())
    return ''.join(f'  -o {{ {line.strip()} }}\n' for line in joined.split('\n') if line.strip())


def braced(text):
    """made to pass str.format with {private} and {folder} alone filled in"""
    return text.replace('{', '{{').replace('}', '}}').replace('{{private}}', '{private}').replace('{{folder}}', '{folder}')


def master(cases, ports):
    text = ''
    for name, case in cases.items():
        short = name.split('/')[1]
        address = '[::1]' if case['six'] else '127.0.0.1'
        text += f'{address}:{ports[name]} inet n - n - {case["processes"]} smtpd{" -v" if case["verbose"] else ""}\n'
        text += options(f'syslog_name=postfix/{short}\n' + case['settings'])
        if case['cleanup'] is not None:
            text += f'  -o cleanup_service_name=clean-{short}\nclean-{short} unix n - n - 0 cleanup\n' + (options(case['cleanup']) or '')
    return braced(text)


def begin(folder, cases, state):
    os.makedirs(f'{folder}/vmail/VMAIL', exist_ok=True)
    os.makedirs(f'{folder}/sasl')
    os.makedirs(f'{folder}/files')
    for path in (f'{folder}/vmail', f'{folder}/vmail/VMAIL'):
        os.chown(path, 65534, 65534)
    made = Certificates(folder)
    made.make('mail', cn='mail.golden.test')
    os.chmod(made.folder, 0o755)
    for user, password in USERS.items():
        add_user(f'{folder}/sasl/sasldb2', user, password, 'golden.test')
    os.chmod(f'{folder}/sasl/sasldb2', 0o644)
    pathlib.Path(folder, 'sasl', 'smtpd.conf').write_text(f'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {folder}/sasl/sasldb2\nmech_list: PLAIN LOGIN CRAM-MD5\n')
    for case in cases.values():
        for name, text in case['files'].items():
            pathlib.Path(folder, 'files', name).write_text(text.replace('{private}', folder))
        for start in case['servers']:
            state.append(start(folder))


def masked(text, folder):
    text = text.replace(folder, '{private}')
    ids = set(re.findall(r'queued as (\w+)|\]: ([0-9A-Za-z]{9,20}): (?:client=|message-id=|from=<|reject: |warning: )|\tid ([0-9A-Za-z]{9,20})', text))
    ids |= set(re.findall(r'()()^([0-9A-Za-z]{9,20}): (?:client=|message-id=|from=<)', text, re.M))
    known = sorted({one for some in ids for one in some if one and re.search(r'\d', one)}, key=len, reverse=True)
    if known:
        text = re.sub(r'(?<![0-9A-Za-z])(?:' + '|'.join(known) + r')(?![0-9A-Za-z])', 'QID', text)
    for pattern, instead in ((DATE, 'DATE'), (r'<\d{14}\.QID@', '<MSGID@'), (r'\bsize=\d+', 'size=N'), (r'(with cipher \S+ \(\d+/\d+ bits\))[^\\\n]*', 'CIPHER'), (r'TLSv1\.\d', 'TLSv1.N'),
                             (r'(key-exchange|server-signature|server-digest) .*', r'\1'), (r'334 [A-Za-z0-9+/]{40,}={0,2}', '334 CHALLENGE'), (r'\]:\d{4,5}\b', ']:PORT'), (r'(?<=for service 127\.0\.0\.1:)\d+', 'PORT'),
                             (r'instance=[0-9a-f.]+', 'instance=N'), (r'server_port=\d+', 'server_port=PORT'), (r'QID\.\d{10}/', 'BOUNDARY/'), (r'\b\w{3} [ \d]\d \d\d:\d\d:\d\d\b', 'TIME'), (r'(?<=127\.0\.0\.2 )\d{4,5}', 'PORT')):
        text = re.sub(pattern, instead, text)
    return text


def settled(server, start, case, name, said):
    """the log of the case once all of its sessions and messages are over"""
    short = name.split('/')[1]
    queued = set(re.findall(r'queued as (\w+)', said))
    begun_at = time.monotonic()

    def over():
        text = server.log()[start:]
        ended = len(re.findall(rf'postfix/{short}/smtpd\[\d+\]: disconnect from', text))
        if ended < len(case['sessions']) - case['lost']:
            return False
        # Messages that the server writes by itself: what it tells the postmaster.
        own = set(re.findall(r'/cleanup\[\d+\]: ([0-9A-Za-z]+): message-id=', text)) - set(re.findall(r'smtpd\[\d+\]: ([0-9A-Za-z]+): client=', text))
        begun = set(re.findall(r'/cleanup\[\d+\]: ([0-9A-Za-z]+): message-id=', text))
        active = set(re.findall(r'/qmgr\[\d+\]: ([0-9A-Za-z]+): from=<', text))
        done = set(re.findall(r'\]: ([0-9A-Za-z]+): (?:removed|hold: )', text))
        left = (queued & begun | own) - done
        # A HOLD or DISCARD before the first recipient names no message: those that are silent for a while are meant.
        is_quiet = ': hold: ' in text and time.monotonic() - begun_at > 0.5
        return not (left & active if is_quiet else left)

    with contextlib.suppress(AssertionError):
        wait_until(over, 'the end of ' + name, 6)
        return server.log()[start:]
    return server.log()[start:] + '\nJan 01 00:00:00 mail postfix/qmgr[1]: (waited in vain)'


def play(server, name, case, port):
    start = len(server.log())
    said, ended = [], 0
    for session in case['sessions']:
        said += Client(session, port, case['limit']).said
        # The server may hear of the end later than of the next connection.
        gone = rf"postfix/{name.split('/')[1]}/smtpd\[\d+\]: disconnect from"
        ended += 1
        with contextlib.suppress(AssertionError):
            wait_until(lambda: len(re.findall(gone, server.log()[start:])) >= ended, 'the end of a session', 1)
    log = settled(server, start, case, name, '\n'.join(said))
    lines = {}
    for line in log.splitlines():
        if m := LOGGED.match(line):
            other = m['case'] is not None and m['case'] != name.split('/')[1]
            if re.match('warning: connect to transport ', m['text']):
                continue
            if other or m['process'] == 'smtpd' and m['case'] is None or m['process'] == 'qmgr' and ': removed' in line:
                continue
            lines.setdefault(m['process'], []).append(m['text'])
    for process in sorted(lines, reverse=True):
        # What the server writes by itself comes when it comes.
        said += [f'--- log of {process}'] + sorted(lines[process], key=lambda text: re.sub(r'^\w+', '', text) if process == 'qmgr' else str(bool(re.search(r'message-id=<\d{14}\.', text))))
    folder = f'{server.folder}/vmail/VMAIL/new'
    texts = []
    for file in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, file), 'rb') as f:
            texts.append(f.read())
        os.unlink(os.path.join(folder, file))
    for text in sorted(texts, key=lambda text: re.sub(rb'(?m)\bid \w+|@mail.golden.test|\d{14}\.\w+|' + DATE.encode(), b'', text)):
        said += ['--- delivered'] + [escaped(line) for line in text.split(b'\n')]
    for queue_id in dict.fromkeys(re.findall(r'queued as (\w+)', '\n'.join(said))):
        if re.search(rf': {queue_id}: removed', log):
            continue
        view = server.run('postcat', '-q', queue_id)
        if view.returncode == 0:
            said += ['--- on hold'] + re.sub(r'(?m)^(message_size|create_time|message_arrival_time|named_attribute: (?:log_)?client_port=).*', r'\1 N',
                                            re.sub(r'(?m)^(\*\*\* .*) \w+(/\w)?/\w+ \*\*\*$', r'\1', view.stdout)).splitlines()
            server.run('postsuper', '-d', queue_id)
    return masked('\n'.join(said), server.folder).replace('postfix/' + name.split('/')[1] + '/smtpd', 'postfix/smtpd')


def read_record(group):
    path = os.path.join(CASES, group + '.txt')
    if not os.path.exists(path):
        return {}
    with open(path) as f:
        parts = re.split(r'(?m)^=== (.*)\n', f.read())
    return {f'{group}/{name}': text.rstrip('\n') for name, text in zip(parts[1::2], parts[2::2])}


def write_record(group, texts):
    with open(os.path.join(CASES, group + '.txt'), 'w') as out:
        out.write('What Postfix 3.7.11 did; written by receiving.py --record.\n')
        out.writelines(f'\n=== {name.split("/")[1]}\n{text}\n' for name, text in texts.items())


def read_own():
    """where Ekiden differs on purpose: {group/case: the differences}"""
    path = os.path.join(CASES, 'own.diff')
    if not os.path.exists(path):
        return {}
    with open(path) as f:
        parts = re.split(r'(?m)^=== (.*)\n', f.read())
    return {name: text.rstrip('\n').split('\n') for name, text in zip(parts[1::2], parts[2::2])}


def write_own(found):
    with open(os.path.join(CASES, 'own.diff'), 'w') as out:
        out.write('Where Ekiden differs from Postfix 3.7.11 on purpose, and why: docs/golden-differences.md. Written by receiving.py --own.\n')
        out.writelines(f'=== {name}\n' + '\n'.join(lines) + '\n' for name, lines in sorted(found.items()) if lines)


def differences(recorded, text):
    """lines with - and +, and nothing about where they are"""
    changed = difflib.unified_diff(recorded.rstrip('\n').split('\n'), text.rstrip('\n').split('\n'), lineterm='', n=0)
    return [line for line in list(changed)[2:] if not line.startswith('@@')]


def play_group(cases, a):
    """what became of each case, of one server that has a service for each"""
    ports = {name: 3001 + i for i, name in enumerate(cases)}
    got, state = {}, []
    with (reference.postfix if a.record else reference.ekiden)(braced(MAIN), master(cases, ports), {}, lambda folder: begin(folder, cases, state)) as server:
        for name, case in cases.items():
            begun = time.monotonic()
            got[name] = play(server, name, case, ports[name])
            if time.monotonic() - begun > 4:
                print(f'{name} took {time.monotonic() - begun:.1f} s', file=sys.stderr)
            if a.raw:
                print(f'=== {name}\n{got[name]}')
    return got


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--record', action='store_true')
    parser.add_argument('--own', action='store_true', help='accept the differences that there are now')
    parser.add_argument('--raw', action='store_true', help='print what happened')
    parser.add_argument('pattern', nargs='*')
    a = parser.parse_args()
    every = groups()
    cases = {name: case for name, case in every.items() if not a.pattern or any(fnmatch.fnmatch(name, p) for p in a.pattern)}
    if not cases:
        raise SystemExit('no such case')
    if a.record:
        reference.fetch()
    in_own_mount_namespace(network=True)
    subprocess.run(['ip', 'address', 'add', 'fd00::2/128', 'dev', 'lo', 'nodad'], check=True)
    subprocess.run(['ip', 'address', 'add', 'fd00::3/128', 'dev', 'lo', 'nodad'], check=True)
    Zone(ROWS, failing=['servfail.test', '6.0.0.127.in-addr.arpa', '2.0.0.127.broken.test', '10.0.0.127.in-addr.arpa'], negative_ttl=60, port=53)
    got = {}
    with tempfile.TemporaryDirectory(prefix='ekiden-', dir='/var/tmp') as folder:
        reference.private_etc(folder, {'resolv.conf': 'nameserver 127.0.0.1\n', 'hosts': '127.0.0.1 localhost mail.golden.test\n::1 localhost\n'})
        for group in dict.fromkeys(name.split('/')[0] for name in cases):
            got |= play_group({name: case for name, case in cases.items() if name.startswith(group + '/')}, a)
    if a.record:
        for group in {name.split('/')[0] for name in cases}:
            kept = read_record(group) | got
            write_record(group, {name: kept[name] for name in every if name.startswith(group + '/') and name in kept})
        return 0
    found = {name: differences(read_record(name.split('/')[0]).get(name, '(no record)'), text) for name, text in got.items()}
    own = read_own()
    if a.own:
        write_own(own | found)
        return 0
    wrong = [name for name in got if found[name] != own.get(name, [])]
    for name in wrong:
        print(f'=== {name}')
        print('\n'.join(difflib.unified_diff(own.get(name, []), found[name], 'known differences', 'found', lineterm='', n=0)))
    print(f'{len(got)} cases with {sum(len(case["sessions"]) for case in cases.values())} dialogues, {len(wrong)} of them wrong')
    return 1 if wrong else 0


if __name__ == '__main__':
    if os.geteuid() != 0:
        skip('needs root, for a network name space')
    sys.exit(main())
