"""A private mail system for one scenario: its own configuration, queue, homes and ports, gone when the test ends.

    with Instance() as mail:                    # started, listening on mail.port
        mail.smtp().sendmail('a@remote.test', ['alice@example.test'], MESSAGE)
        mail.wait_for_log(r'status=sent')

Nothing sleeps: every wait is for an event (a log line, an empty queue, a port) and has a limit after which it fails with
what was seen. Runs as root (then the engine drops to an ordinary user) and as anyone else.
"""
import contextlib, json, os, pwd, random, re, select, shutil, signal, smtplib, socket, subprocess, sys, tempfile, threading, time

from dns_zone import Zone

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'dev'))
from services import inner_services

BIN = os.environ.get('EKIDEN_BIN') or os.path.join(ROOT, 'build', 'bin')
LIMIT = float(os.environ.get('EKIDEN_TEST_LIMIT', '30'))     # seconds any one wait may take

MESSAGE = 'From: <a@remote.test>\nTo: <alice@example.test>\nSubject: test\n\nHello\n'


def free_port():
    """Below those that the system gives to clients: one of them would be in the way now and then."""
    while True:
        port = random.randrange(10000, 30000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(('0.0.0.0', port))
            return port


def tool(name):
    return os.path.join(BIN, name)


def text_of(path):
    """nothing while the file is not there"""
    with contextlib.suppress(FileNotFoundError), open(path, errors='replace') as f:
        return f.read()
    return ''


class Failed(AssertionError):
    pass


def may_look_into_processes():
    """at the memory and the folders of others' processes: root's right, but not in a container as they are usually started"""
    cap_sys_ptrace = 19
    with open('/proc/self/status') as status:
        return any(line.startswith('CapEff:') and int(line.split()[1], 16) >> cap_sys_ptrace & 1 for line in status)


def skip(reason):
    """ends the scenario: it cannot be played here"""
    print(reason)
    sys.exit(77)


def expect(got, want, what):
    if got != want:
        raise Failed(f'{what}: got {got!r}, want {want!r}')


def expect_match(pattern, text, what):
    found = re.search(pattern, text, re.S | re.M)
    if not found:
        raise Failed(f'{what}: want {pattern!r}, got:\n{text}')
    return found


def happens(condition, limit):
    """Polls a condition that has no event to wait on; what it came to, within `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.02)


def wait_until(condition, what, limit=None):
    """The same, but fails with `what` (a text or a function)."""
    value = happens(condition, limit or LIMIT)
    if not value:
        raise Failed('waited in vain for ' + (what() if callable(what) else what))
    return value


def overridden(base, lines):
    """`base` without the parameters that `lines` set, and `lines`"""
    names = set(re.findall(r'^(\w+)\s*=', lines, re.M))
    return ''.join(line + '\n' for line in base.splitlines() if line.split('=')[0].strip() not in names) + lines


class Instance:
    """main: main.cf lines, which replace those below; master: extra master.cf lines; files: {name: text} in the
    configuration directory; zone: rows of its own DNS server (dns_zone.Zone), without which no name exists."""

    def __init__(self, main='', master='', files=None, start=True, folder=None, master_cf=None, zone=None):
        self.zone = Zone(zone or {})
        self.folder = folder or tempfile.mkdtemp(prefix='ekiden-', dir='/var/tmp')
        self.keeps_folder = folder is not None
        os.chmod(self.folder, 0o755)
        self.config = os.path.join(self.folder, 'config')
        self.spool = os.path.join(self.folder, 'spool')
        self.log_file = os.path.join(self.folder, 'mail.log')
        self.vmail = os.path.join(self.folder, 'vmail')
        self.port = free_port()
        for d in (self.config, self.vmail):
            os.makedirs(d, exist_ok=True)
        self.owner = 'mail' if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            user = pwd.getpwnam(self.owner)
            os.chown(self.vmail, user.pw_uid, user.pw_gid)
        user = pwd.getpwnam(self.owner)
        for name, text in (files or {}).items():
            self.write(name, text)
        self.write('main.cf', overridden(f'''\
compatibility_level = 3.6
myhostname = mail.example.test
mydomain = example.test
mydestination = $myhostname, localhost
mynetworks = 127.0.0.1/32
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
queue_directory = {self.spool}
data_directory = {self.folder}/data
maillog_file = {self.log_file}
mail_owner = {self.owner}
setgid_group = {'daemon' if os.geteuid() == 0 else self.owner}
command_directory = {BIN}
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = example.test
virtual_mailbox_base = {self.vmail}
virtual_mailbox_maps = inline:{{ alice@example.test=alice/ bob@example.test=bob/ carol@example.test=carol/ }}
virtual_uid_maps = static:{user.pw_uid}
virtual_gid_maps = static:{user.pw_gid}
virtual_minimum_uid = 1
ekiden_dns_server = 127.0.0.1:{self.zone.port}
smtputf8_enable = yes
''', main))
        services = master_cf or '{port} inet n - n - - smtpd\n' + inner_services()
        self.write('master.cf', services.format(port=f'127.0.0.1:{self.port}') + master)
        self.log_offset = 0
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            sys.stderr.write(f'--- mail.log of {self.folder}\n{self.log()[-6000:]}\n')
        self.stop(must_work=False)
        for folder in (self.spool, self.vmail):
            if os.path.ismount(folder):
                subprocess.run(['umount', '-l', folder])
        if not self.keeps_folder and not os.environ.get('EKIDEN_KEEP'):
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---- configuration and commands

    def write(self, name, text):
        path = os.path.join(self.config, name)
        with open(path, 'w') as f:
            f.write(text)
        return path

    def run(self, name, *args, input=None, check=True, **more):
        p = subprocess.run([tool(name), '-C' if name == 'sendmail' else '-c', self.config, *args], input=input,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=LIMIT * 3, **more)
        if check and p.returncode != 0:
            raise Failed(f'{name} {" ".join(args)}: exit {p.returncode}\n{p.stdout}{p.stderr}')
        return p

    def start(self):
        return self.run('postfix', 'start')

    def stop(self, must_work=True):
        p = self.run('postfix', 'stop', check=False)
        if must_work and p.returncode:
            raise Failed(f'postfix stop: {p.stderr}')

    def master_pid(self):
        with open(os.path.join(self.spool, 'pid', 'master.pid')) as f:
            return int(f.read())

    def children(self):
        """pid → command line of the master's processes"""
        pid = self.master_pid()
        with open(f'/proc/{pid}/task/{pid}/children') as f:
            return {int(c): open(f'/proc/{c}/cmdline').read().replace('\0', ' ') for c in f.read().split()}

    def engine_pid(self):
        return next(pid for pid, line in self.children().items() if ' engine ' in line)

    def kill_hard(self):
        """SIGKILL for everything at once, as a power cut leaves it"""
        pids = [self.master_pid(), *self.children()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in pids:
            wait_until(lambda: not os.path.exists(f'/proc/{pid}') or
                       open(f'/proc/{pid}/stat').read().split()[2] == 'Z', f'the end of {pid}')

    # ---- what happened

    def log(self):
        return text_of(self.log_file)

    def wait_for_log(self, pattern, count=1, limit=None):
        """the matches of `pattern` in the log, once there are `count`"""
        return wait_until(lambda: (m := list(re.finditer(pattern, self.log(), re.M))) and len(m) >= count and m,
                          lambda: f'log line {pattern!r}; the log ends:\n{self.log()[-3000:]}', limit)

    def queue(self):
        return self.run('postqueue', '-p').stdout

    def entries(self):
        """what postqueue -j says, a dictionary for each message"""
        return [json.loads(line) for line in self.run('postqueue', '-j').stdout.splitlines()]

    def wait_for_entries(self, condition, what, limit=None):
        """the queue's entries once condition(entries) holds"""
        return wait_until(lambda: condition(found := self.entries()) and (found or True),
                          lambda: f'{what}; the queue:\n{self.queue()}\nlog:\n{self.log()[-3000:]}', limit)

    def set(self, text):
        """replaces settings in main.cf; a reload or a start makes them count"""
        path = os.path.join(self.config, 'main.cf')
        with open(path) as f:
            base = f.read()
        self.write('main.cf', overridden(base, text))

    def wait_for_empty_queue(self, limit=None):
        wait_until(lambda: 'Mail queue is empty' in self.queue(),
                   lambda: 'an empty queue; it holds:\n' + self.queue(), limit)

    def mailbox(self, user):
        """texts of the messages in a virtual user's Maildir"""
        d = os.path.join(self.vmail, user, 'new')
        if not os.path.isdir(d):
            return []
        return [open(os.path.join(d, n), errors='surrogateescape').read() for n in sorted(os.listdir(d))]

    def wait_for_mail(self, user, count=1, limit=None):
        return wait_until(lambda: len(m := self.mailbox(user)) >= count and m,
                          lambda: f'{count} messages for {user}; log:\n{self.log()[-3000:]}', limit)

    # ---- clients

    def smtp(self, timeout=None):
        return smtplib.SMTP('127.0.0.1', self.port, local_hostname='client.test', timeout=timeout or LIMIT)

    def send(self, sender='a@remote.test', to=('alice@example.test',), message=MESSAGE):
        with self.smtp() as s:
            s.sendmail(sender, list(to), message)

    def dialogue(self, source='127.0.0.1'):
        return Dialogue(self.port, source=source)


class Dialogue:
    """A hand-driven SMTP connection: say() sends a line and returns the reply. `source`: the client's address; anything
    in 127/8 but 127.0.0.1 is a stranger to mynetworks."""

    def __init__(self, port, host='127.0.0.1', source='127.0.0.1'):
        self.socket = socket.create_connection((host, port), timeout=LIMIT, source_address=(source, 0))
        self.file = self.socket.makefile('rb')
        self.greeting = self.reply()

    def reply(self):
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                raise EOFError('the server closed the connection')
            lines.append(line.decode('utf-8', 'replace').rstrip('\r\n'))
            if line[3:4] != b'-':
                return '\n'.join(lines)

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def say(self, line):
        self.send(line + '\r\n')
        return self.reply()

    def still_waits(self):
        """nothing has come since the last reply"""
        return not select.select([self.socket], [], [], 0)[0]

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


SILENCE = 'silence'     # an answer of a FarServer: nothing is said and nothing read until the client gives up


class FarServer(threading.Thread):
    """A recording SMTP server on a port of its own. `answers` maps the start of a command to a reply ('RCPT TO:<no@': '550 …'),
    '.' to what the end of data is answered; a reply of None closes the connection, a callable is asked with the line.
    messages: (MAIL command, RCPT commands, content as bytes), only what was answered with 2xx."""

    def __init__(self, answers=None, greeting='220 far.test ESMTP',
                 ehlo=('far.test', 'PIPELINING', '8BITMIME', 'ENHANCEDSTATUSCODES'), port=0, host='127.0.0.1'):
        super().__init__(daemon=True)
        self.answers, self.greeting, self.ehlo = answers or {}, greeting, ehlo
        self.listener = socket.create_server((host, port))
        self.port = self.listener.getsockname()[1]
        self.messages, self.commands, self.connections = [], [], 0
        self.start()

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def close(self):
        # shutdown() wakes the thread in accept(); close() alone would leave the port listening until then
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def wait_for(self, count=1):
        """the messages, once there are `count`"""
        wait_until(lambda: len(self.messages) >= count,
                   lambda: f'{count} messages at the far side; it heard: {self.commands[-20:]}')
        return self.messages

    def answer_to(self, line, default):
        for start, answer in self.answers.items():
            if line.upper().startswith(start.upper()):
                return answer(line) if callable(answer) else answer
        return default

    def serve(self, s):
        with s, s.makefile('rb') as f, contextlib.suppress(OSError):
            def say(t):
                if t == SILENCE:
                    f.read()
                    raise OSError('the client gave up')
                s.sendall(t.encode() + b'\r\n')
            greeting = self.greeting() if callable(self.greeting) else self.greeting
            if greeting is None:
                return
            say(greeting)
            sender, recipients = None, []
            while line := f.readline():
                line = line.decode(errors='replace').rstrip('\r\n')
                self.commands.append(line)
                verb = line.split(' ')[0].upper()
                default = {'EHLO': '\r\n'.join(f'250{"-" if i < len(self.ehlo) - 1 else " "}{w}' for i, w in enumerate(self.ehlo)),
                           'DATA': '354 go on', 'QUIT': '221 2.0.0 bye'}.get(verb, '250 2.0.0 ok')
                if verb == 'RCPT' and sender is None or verb == 'DATA' and not recipients:
                    default = '503 5.5.1 bad sequence'
                answer = self.answer_to(line, default)
                if default.startswith('503') and answer and not answer.startswith(('4', '5')):
                    answer = default
                if answer is None:
                    return
                if verb == 'MAIL':
                    sender, recipients = line if answer.startswith('2') else None, []
                if verb == 'RCPT' and answer.startswith('2'):
                    recipients.append(line)
                say(answer)
                if verb == 'QUIT':
                    return
                if verb == 'DATA' and answer.startswith('3'):
                    body = []
                    while (part := f.readline()) != b'.\r\n':
                        if not part:
                            return
                        body.append(part[1:] if part.startswith(b'.') else part)
                    answer = self.answer_to('.', '250 2.0.0 queued as FAR')
                    if answer is None:
                        return
                    if answer.startswith('2'):
                        self.messages.append((sender, recipients, b''.join(body)))
                    say(answer)
