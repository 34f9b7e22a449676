"""A machine of a test's own on which one of two mail systems is installed, Ekiden or Postfix 3.7.11: accounts, homes, a name server and
far servers that record what they hear. A case plays on it and writes down what was seen, with what varies from run to run masked.

The process must be the first of its own name spaces (network, mounts, processes, host name); everything ends with it.
"""
import contextlib, os, re, shutil, signal, smtplib, socket, subprocess, sys, threading, time

from dns_zone import Zone
from instance import BIN, Failed, wait_until
from own_mounts import mount_tmpfs

USERS = {name: 3001 + i for i, name in enumerate('user user1 user2 alice bob carol dave erin fwd test'.split())}
LOG = '/var/log/mail.log'
MAIN_CF = '''\
compatibility_level = 3.6
myhostname = mail.golden.test
mydomain = golden.test
mydestination = $myhostname, localhost.$mydomain, localhost, $mydomain
mynetworks = 127.0.0.1/32
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = /var/log/mail.log
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
home_mailbox = Maildir/
biff = no
minimal_backoff_time = 600s
'''
MASTER_CF = '''\
smtp      inet  n       -       n       -       -       smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
        -o syslog_name=postfix/$service_name
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
local     unix  -       n       n       -       -       local
virtual   unix  -       n       n       -       -       virtual
lmtp      unix  -       -       n       -       -       lmtp
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
'''
ZONE = {('golden.test', 'MX'): [(10, 'mail.golden.test')], ('golden.test', 'A'): ['127.0.0.1'], ('mail.golden.test', 'A'): ['127.0.0.1'], ('client.test', 'A'): ['127.0.0.1'],
        ('remote.test', 'A'): ['127.0.0.25'], ('ok.test', 'MX'): [(10, 'mx.remote.test')], ('mx.remote.test', 'A'): ['127.0.0.25'],
        ('down.test', 'A'): ['127.0.0.26'], ('alldown.test', 'MX'): [(10, 'down.test')], ('prefs.test', 'MX'): [(10, 'down.test'), (20, 'mx.remote.test')],
        ('nullmx.test', 'MX'): [(0, '.')], ('mxnohost.test', 'MX'): [(10, 'nohost.mxnohost.test')], ('noaddr.test', 'TXT'): ['x'],
        ('loop.test', 'MX'): [(10, 'mail.golden.test')], ('plain.test', 'A'): ['127.0.0.27'], ('helo.test', 'A'): ['127.0.0.28'], ('utf8.test', 'A'): ['127.0.0.29'],
        ('dsn.test', 'A'): ['127.0.0.25'], ('wild.test', 'A'): ['127.0.0.25'], ('cname.test', 'CNAME'): ['remote.test']}
FULL = ('PIPELINING', 'SIZE 10240000', '8BITMIME', 'ENHANCEDSTATUSCODES', 'DSN')
# The far servers: address, keywords of EHLO (None: no EHLO).
FAR = {'127.0.0.25': FULL, '127.0.0.27': (), '127.0.0.28': None, '127.0.0.29': (*FULL, 'SMTPUTF8')}


class Far(threading.Thread):
    """A far server whose answers follow from the words of a command: `r450-4.2.1` in the local part of a recipient is refused with 450 4.2.1
    there, `d…` after the dot, `m…` in a sender at MAIL, `h…` drops the connection. Several lines: `x550`."""

    def __init__(self, address, keywords, record):
        super().__init__(daemon=True)
        self.address, self.keywords, self.record = address, keywords, record
        self.listener = socket.create_server((address, 25), backlog=64)
        self.start()

    def run(self):
        while True:
            s, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        heard = []
        self.record.append((self.address, heard))
        with contextlib.suppress(OSError), s, s.makefile('rb') as f:
            def say(text):
                s.sendall(text.encode() + b'\r\n')
            say('220 mx.remote.test ESMTP')
            last, taken, refusal = '', 0, None
            while line := f.readline():
                heard.append(exact(line))
                line = line.decode(errors='replace').rstrip('\r\n')
                verb = line.split(' ')[0].upper()
                if verb == 'EHLO' and self.keywords is not None:
                    words = ('mx.remote.test', *self.keywords)
                    say('\r\n'.join(f'250{"-" if i < len(words) - 1 else " "}{w}' for i, w in enumerate(words)))
                elif verb in ('HELO', 'RSET', 'NOOP'):
                    say('250 2.0.0 Ok')
                elif verb == 'MAIL':
                    refusal, taken = self.refusal('m', line), 0
                    say(refusal or '250 2.1.0 Ok')
                elif verb == 'RCPT':
                    if '<hang' in line:
                        return
                    answer = self.refusal('r', line) or '250 2.1.5 Ok'
                    taken += answer.startswith('2')
                    last = line if answer.startswith('2') else last
                    say(answer)
                elif verb == 'DATA' and taken:
                    say('354 go on')
                    while (part := f.readline()) != b'.\r\n':
                        if not part:
                            return
                        heard.append(exact(part))
                    heard.append('.\\r\\n')
                    say(self.refusal('d', last) or '250 2.0.0 Ok: queued as FAR')
                elif verb == 'QUIT':
                    return say('221 2.0.0 Bye')
                else:
                    say('502 5.5.2 Error: command not recognized' if verb != 'DATA' else '554 5.5.1 No valid recipients')

    def refusal(self, step, line):
        m = re.search(rf'<{step}(x?)(\d\d\d)(?:-([\d.]+))?', line)
        if not m:
            return None
        code, words = m.group(2), (m.group(3) + ' ' if m.group(3) else '') + 'refused here'
        return f'{code}-{words}\r\n{code}-  second line\r\n{code} {words}, last' if m.group(1) else f'{code} {words}'


def exact(data):
    """bytes as ASCII"""
    return data.decode('latin-1').replace('\\', '\\\\').encode('ascii', 'backslashreplace').decode().replace('\r', '\\r').replace('\n', '\\n').replace('\t', '\\t').replace('\0', '\\0')


def sh(script, **more):
    return subprocess.run(['sh', '-c', script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace', **more)


def write(path, text, mode=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as out:
        out.write(text if isinstance(text, bytes) else text.encode())
    if mode is not None:
        os.chmod(path, mode)


def build_world(reference=None):
    """accounts, folders, names and far servers; reference: the root of an unpacked package of Postfix, installed instead of Ekiden"""
    upper = '/mnt'
    subprocess.run(['mount', '--make-rprivate', '/'], check=True)
    mount_tmpfs(upper, '2g')
    for name in ('etc', 'etc-work', 'usr', 'usr-work', 'stage'):
        os.mkdir(f'{upper}/{name}')
    stage = f'{upper}/stage'
    if reference:
        subprocess.run(['cp', '-a', f'{reference}/usr', f'{reference}/etc', stage], check=True)
        etc = f'{stage}/etc:/etc'
    else:
        os.makedirs(f'{stage}/usr/sbin')
        copies = {}
        for name in sorted(os.listdir(BIN)):
            path = os.path.realpath(os.path.join(BIN, name))
            if name.endswith(('_test', '_fuzz')) or os.path.isdir(path):
                continue
            if path in copies and name not in ('postdrop', 'postqueue'):
                os.link(copies[path], f'{stage}/usr/sbin/{name}')
            else:
                copies[path] = shutil.copy(path, f'{stage}/usr/sbin/{name}')
        etc = '/etc'
    overlay = ['mount', '-t', 'overlay', 'overlay', '-o']
    subprocess.run([*overlay, f'lowerdir={stage}/usr:/usr,upperdir={upper}/usr,workdir={upper}/usr-work', '/usr'], check=True)
    subprocess.run([*overlay, f'lowerdir={etc},upperdir={upper}/etc,workdir={upper}/etc-work', '/etc'], check=True)
    for folder in ('/var/spool', '/var/lib', '/var/mail', '/home', '/run', '/var/log', '/tmp', '/srv'):
        mount_tmpfs(folder, '256m')
    os.chmod('/tmp', 0o1777)
    os.chmod('/var/mail', 0o3777)
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    socket.sethostname('vm')
    accounts(stage)
    write('/etc/resolv.conf', 'nameserver 127.0.0.1\noptions timeout:2 attempts:1\n')
    write('/etc/hosts', '127.0.0.1\tlocalhost\n')
    sh(r"sed -i 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf; rm -f /etc/localtime /etc/aliases.db; ln -s /usr/share/zoneinfo/Etc/UTC /etc/localtime; mkdir -p /etc/postfix /var/lib/postfix /var/spool/postfix; "
       'chown postfix /var/lib/postfix; cd /usr/sbin; chgrp postdrop postdrop postqueue; chmod 2755 postdrop postqueue')
    Zone(ZONE, port=53)
    record = []
    for address, keywords in FAR.items():
        Far(address, keywords, record)
    return World(record, bool(reference))


def accounts(stage):
    own = {**USERS, 'vmail': 5000, 'postfix': 2999, 'postdrop': 2998}
    for name in ('passwd', 'group'):
        with open('/etc/' + name) as f:
            kept = [line for line in f if line.split(':')[0] not in own]
        for user, number in own.items():
            home = '/srv/vmail' if user == 'vmail' else '/nonexistent' if number < 3000 else f'/home/{user}'
            kept.append(f'{user}:x:{number}:{number}:Test {user},,,:{home}:/bin/sh\n' if name == 'passwd' else f'{user}:x:{number}:\n')
        write('/etc/' + name, ''.join(kept))


MASKS = [(re.compile(p), r) for p, r in (
    (r'(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), +\d+ \w{3} \d{4} [\d:]{8} [-+]\d{4}(?: \(\w+\))?', 'DATE'),
    (r'\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} [ \d]\d [\d:]{8}(?: \d{4})?', 'DATE'),
    (r'QID\.\d+/', 'QID.TIME/'), (r'<\d{14}\.QID@', '<MSGID@'), (r'\b\d{10}\.[\w.=,:#-]+\.vm\b', 'MAILDIR'), (r'\b1[78]\d{8}\b', 'EPOCH'),
    (r'delay=[\d.]+, delays=[\d.]+/[\d.]+/[\d.]+/[\d.]+', 'delay=N'), (r', conn_use=\d+', ''), (r'\bsize=\d+', 'size=N'), (r'SIZE=\d+', 'SIZE=N'),
    (r'"(message_size|arrival_time)": \d+', r'"\1": N'), (r'\b(deferred|active|hold)/\w/QID', r'\1/X/QID'), (r'\bQID([*!#]?) +\d+ +DATE  ', r'QID\1 N DATE  '), (r'-+ ?Queue ID ?-+ .*', '-Queue ID- ...'), (r'-- \d+ Kbytes', '-- N Kbytes'),
    (r'(\[127\.[\d.]+\]:)\d{5}', r'\1PORT'), (r'\b(pid) \d+', r'\1 N'), (r'((?:^|\[)(?:vm\[|process ))\d+', r'\1N'), (r'cipher \S+ \(\d+/\d+ bits\).*', 'CIPHER'))]
QUEUE_ID = re.compile(r'queued as (\w+)|\]: (\w+): (?:client=|message-id=|from=<|to=<|uid=|removed|sender |replace:|reject:|warning: |hold:|filter:|skipped|released|requeued|expired|placed)|^(\w+)[*!#]? +\d+ \w{3} \w{3} [ \d]\d '
                      r'|\(Postfix[^)\n]*\) (?:with \w+ )?id (\w+)|"queue_id": "(\w+)"|X-Postfix-Queue-ID: (\w+)|notification: (\w+)$|forwarded as (\w+)|orig_id=(\w+)|postsuper: (\w+): |\]: (\w+): (?:discard|filter|milter)|warning: (\w+): (?:message rejected|header_checks|unreasonable)', re.M)
INTERNAL = re.compile(r'postfix/(postqueue|anvil|scache|tlsmgr|proxymap|postlogd|trivial-rewrite|postfix-script|master)$')
LINE = re.compile(r'^\w{3} [ \d]\d [\d:]{8} (\S+) (postfix[^\[]*)\[\d+\]: (.*)$')


class World:
    def __init__(self, record, is_reference):
        self.record, self.is_reference = record, is_reference
        self.now = None

    def configure(self, main, master):
        """the server, started with this configuration; what the start said"""
        with open('/etc/aliases') as f:
            aliases = f.read()
        if self.now == (main, master, aliases) and sh('postfix status').returncode == 0:
            return ''
        sh('postfix stop')
        write('/etc/postfix/main.cf', main)
        write('/etc/postfix/master.cf', master)
        sh('newaliases')
        said = sh('postfix start').stdout
        self.now = (main, master, aliases)
        return said

    def clean(self, files):
        sh('postsuper -d ALL; rm -rf /home/* /srv/* /tmp/* /var/mail/* /etc/aliases; mkdir -p /srv/vmail; chown vmail:vmail /srv/vmail')
        for user, number in USERS.items():
            os.mkdir(f'/home/{user}')
            os.chown(f'/home/{user}', number, number)
        write('/etc/aliases', 'postmaster: root\nroot: alice\n')
        for path, text in files.items():
            write(path, text)
            user = path.split('/')[2] if path.startswith('/home/') else None
            if user:
                os.chown(path, USERS[user], USERS[user])
        self.forget()

    def forget(self):
        # Connections may stay open and be used again.
        for _, heard in self.record:
            heard.clear()


class Play:
    """what a case does and sees; `lines` is the outcome"""

    def __init__(self, world):
        self.world, self.lines, self.ids = world, [], set()
        self.log_offset = self.log_size()

    # ---- what is seen

    @staticmethod
    def world_sh(script):
        return sh(script).stdout

    @staticmethod
    def log_size():
        return os.path.getsize(LOG) if os.path.exists(LOG) else 0

    def new_log(self):
        if not os.path.exists(LOG):
            return ''
        with open(LOG, 'rb') as f:
            f.seek(self.log_offset)
            return f.read().decode(errors='backslashreplace')

    def say(self, text):
        self.ids |= {i for found in QUEUE_ID.findall(text) for i in found if i and len(i) > 5 and re.search(r'\d|^[A-F]+$', i)}
        self.lines += text.rstrip('\n').split('\n')

    def outcome(self):
        ids = re.compile(r'\b(?:' + '|'.join(sorted(self.ids, key=len, reverse=True)) + r')\b') if self.ids else None
        result = []
        for line in self.lines:
            line = ids.sub('QID', line) if ids else line
            for pattern, to in MASKS:
                line = pattern.sub(to, line)
            result.append(line.rstrip() if line.strip() else '')
        return arranged(result)

    def settle(self, limit=20, quiet=None):
        """until nothing is on its way any more: all that is left waits, and the log has come to an end"""
        quiet = quiet or (0.8 if self.world.is_reference else 0.25)
        last, since = None, time.monotonic()

        def is_quiet():
            nonlocal last, since
            moving = re.search(r'"queue_name": "(?:active|incoming|maildrop)"', sh('postqueue -j').stdout)
            size = self.log_size()
            if moving or size != last:
                last, since = size, time.monotonic()
            return time.monotonic() - since > quiet
        # Some cases end with mail that never comes to rest.
        with contextlib.suppress(Failed):
            wait_until(is_quiet, 'quiet', limit)

    def wait_for(self, pattern, limit=20):
        try:
            wait_until(lambda: re.search(pattern, self.new_log(), re.M), pattern, limit)
        except Failed:
            self.say(f'(not seen: {pattern})')

    def log(self, only=None):
        self.settle()
        self.say('@log')
        for line in self.new_log().splitlines():
            m = LINE.match(line)
            if not m:
                self.say('? ' + line)
            elif not INTERNAL.search(m.group(2)) and not re.match(r'(dis)?connect from |\w+: client=|(lost connection|timeout) after|statistics: |table .* has changed|warning: (?:file system clock|resetting file time)|Deleted: 0 |daemon started|reload', m.group(3)) and (not only or re.search(only, line)):
                self.ids |= {i for found in QUEUE_ID.findall(line) for i in found if i and len(i) > 5 and re.search(r'\d|^[A-F]+$', i)}
                self.lines.append(f'{m.group(2)}: {m.group(3)}')
        self.say('@end')
        self.log_offset = self.log_size()

    def sh(self, script, user=None, input=None, show=None):
        """a command, what it printed and its exit status"""
        env = dict(os.environ, PATH='/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL='C', HOME=f'/home/{user}' if user else '/root', USER=user or 'root', LOGNAME=user or 'root')
        more = dict(user=user, group=user, extra_groups=[]) if user else {}
        data = input.encode() if isinstance(input, str) else input
        p = subprocess.Popen(['/bin/sh', '-c', script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=env['HOME'], start_new_session=True, **more)
        try:
            out, err = p.communicate(data or b'', timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            out, err = b'', b'(no end)'
        self.say(f'${" " + user + ":" if user else ""} ' + (show or script).replace('\n', '\\n'))
        for mark, text in (('1|', out), ('2|', err)):
            for line in text.splitlines(keepends=True):
                self.say(mark + ' ' + exact(line).removesuffix('\\n') + ('' if line.endswith(b'\n') else '(no newline)'))
        if p.returncode:
            self.say(f'= {p.returncode}')
        return out.decode(errors='replace')

    def cat(self, *paths):
        for path in paths:
            self.say(f'@file {path}')
            try:
                with open(path, 'rb') as f:
                    for line in f.read().splitlines(keepends=True):
                        self.say('| ' + exact(line).removesuffix('\\n') + ('' if line.endswith(b'\n') else '(no newline)'))
            except OSError as e:
                self.say(f'({e.strerror})')

    def mail(self, *users, folder=None):
        """the messages of Maildirs, in an order that does not depend on their names"""
        for user in users:
            new = (folder or f'/home/{user}/Maildir') + '/new'
            texts = []
            for name in os.listdir(new) if os.path.isdir(new) else []:
                with open(os.path.join(new, name), 'rb') as f:
                    texts.append(''.join('| ' + exact(line).removesuffix('\\n') + ('' if line.endswith(b'\n') else '(no newline)') + '\n' for line in f.read().splitlines(keepends=True)))
            self.say(f'@mail {user}: {len(texts)}')
            for text in texts:
                self.say('@message')
                self.say(reported(text))
            self.say('@end')

    def files(self, folder):
        p = sh(f'cd {folder} 2>/dev/null && find . -mindepth 1 -printf "%P %M %u:%g\\n" | sort')
        self.say(f'@files {folder}')
        self.say(p.stdout)

    def far(self):
        """the transactions that the far servers heard"""
        self.settle()
        self.say('@far')
        for address, heard in self.world.record:
            start = None
            for i, line in enumerate([*heard, 'QUIT']):
                if re.match(r'MAIL|QUIT|RSET|EHLO|HELO', line):
                    if start is not None:
                        self.say('@message')
                        # The recipients of a transaction come in the order in which a queue holds them.
                        commands = sorted(text for text in heard[start:i] if text.startswith('RCPT TO:'))
                        self.say(address + '\n' + reported('\n'.join('| ' + (commands.pop(0) if text.startswith('RCPT TO:') else text) for text in heard[start:i])))
                    start = i if line.startswith('MAIL') else None
        self.say('@end')
        self.world.forget()

    # ---- what is done

    def smtp(self, *steps, source='127.0.0.1'):
        """a dialogue; the replies behind the greeting's are written down only if they are refusals. Bytes are sent as they are."""
        with socket.create_connection(('127.0.0.1', 25), 20, source_address=(source, 0)) as s, s.makefile('rb') as f:
            def reply():
                lines = []
                while line := f.readline().decode(errors='replace').rstrip('\r\n'):
                    lines.append(line)
                    if line[3:4] != '-':
                        break
                return '\n'.join(lines)
            reply()
            for step in ('EHLO client.test', *steps, 'QUIT'):
                s.sendall(step if isinstance(step, bytes) else step.encode() + b'\r\n')
                answer = reply()
                if answer[:1] not in '23':
                    self.say(f'{exact(step if isinstance(step, bytes) else step.encode())[:60]} -> {answer}')
                    if step == 'DATA':
                        return answer
        return answer

    def send(self, to, sender='sender@remote.test', body='Hello', headers='Subject: test\r\nFrom: <sender@remote.test>\r\nMessage-Id: <1@remote.test>\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n',
             parameters='', rcpt='', source='127.0.0.1'):
        content = (headers + '\r\n' + body + '\r\n.\r\n')
        self.smtp(f'MAIL FROM:<{sender}>{parameters}', *(f'RCPT TO:<{t}>{rcpt}' for t in ([to] if isinstance(to, str) else to)), 'DATA',
                  content.encode('utf-8', 'surrogateescape') if isinstance(content, str) else content, source=source)


def arranged(lines):
    """processes and messages side by side: log lines by process, the messages of a process sorted; likewise messages and transactions"""
    result, block, mode = [], [], None
    for line in sorted_listings(lines):
        if line == '@end':
            result += sorted_log(block) if mode == '@log' else sorted_messages(block)
            mode, block = None, []
        elif line == '@log' or line == '@far' or line.startswith('@mail '):
            mode = '@log' if line == '@log' else '@mail'
            result.append(line)
        elif mode:
            block.append(line)
        else:
            result.append(line)
    return result


def reported(text):
    """a report whose recipients do not stand in the order in which their deliveries ended"""
    paragraphs = re.split(r'(?m)(?<=\n)(?=\| (?:\\r\\n)?$)', text)
    def kind(paragraph):
        second = paragraph.split('\n')[1:2]
        return 1 if second and re.match(r'\| <.*>.*: ', second[0]) else 2 if second and second[0].startswith('| Final-Recipient:') else 0
    result, at = [], 0
    while at < len(paragraphs):
        end = at
        while end < len(paragraphs) and kind(paragraphs[end]) == kind(paragraphs[at]):
            end += 1
        result += sorted(paragraphs[at:end]) if kind(paragraphs[at]) else paragraphs[at:end]
        at = end
    return ''.join(result)


def sorted_listings(lines):
    """the entries of postqueue's listings, whose order within a second follows the queue ids"""
    result, entries = [], []
    for line in [*lines, '']:
        if re.match(r'1\| (QID[*!#]? N DATE|\{"queue_name")', line):
            entries.append([line])
        elif entries and re.match(r'1\|( |$)(?!-- )', line):
            entries[-1].append(line)
        else:
            result += [text for entry in sorted(entries) for text in entry]
            entries = []
            result.append(line)
    return result[:-1]


def sorted_log(lines):
    processes = {}
    for line in lines:
        process, text = line.split(': ', 1)
        processes.setdefault(process, []).append(text)
    result = []
    for process in sorted(processes):
        texts = sorted(processes[process])
        result += [f'{process}: {text}' + (f' ({texts.count(text)} times)' if texts.count(text) > 1 else '') for text in dict.fromkeys(texts)]
    return result


def sorted_messages(lines):
    messages = []
    for line in lines:
        if line == '@message':
            messages.append([])
        elif messages:
            messages[-1].append(line)
    return [line for message in sorted(messages) for line in ('@message', *message)]
