"""A policy program that master.cf starts with spawn(8) answers for each connection: as its user, with a clean environment and
nothing but the connection; within the line's limits of processes and time. Reloads and deaths of programs and of the process
that starts them harm nobody, and a stop ends all."""
import contextlib, json, os, pwd, re, shutil, signal, socket, subprocess, time
from instance import Instance, expect, expect_match, free_port, wait_until

IS_ROOT = os.geteuid() == 0
USER = 'nobody' if IS_ROOT else pwd.getpwuid(os.geteuid()).pw_name
ACCOUNT = pwd.getpwnam(USER)
PYTHON = '/usr/bin/python3'
POLICY = '''\
import os, sys
while True:
    request = {}
    while (line := sys.stdin.readline()) != '\\n':
        if not line:
            sys.exit(0)
        name, _, value = line.rstrip('\\n').partition('=')
        request[name] = value
    action = f'REJECT pid {os.getpid()}' if request['sender'].startswith('bad') else 'PREPEND X-Policy: passed'
    sys.stdout.write(f'action={action}\\n\\n')
    sys.stdout.flush()
'''
FACTS = '''\
import json, os, signal, sys
facts = {'uid': os.getresuid(), 'gid': os.getresgid(), 'groups': os.getgroups(), 'cwd': os.getcwd(), 'umask': os.umask(0), 'group': os.getpgrp() == os.getpid(),
         'fds': [f for f in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + f)], 'environment': dict(os.environ), 'argv': sys.argv[1:],
         'blocked': sorted(int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, []))}
print(json.dumps(facts))
print('said on standard error', file=sys.stderr)
'''


def lines(policy_limit=0):
    return f'''\
policy unix - n n - {policy_limit} spawn user={USER} argv={PYTHON} {{CONFIG}}/policy.py
facts unix - n n - 0 spawn user={USER}: argv={PYTHON} {{CONFIG}}/facts.py $myhostname {{{{two words}}}} ;exit
echo unix n n n - 2 spawn user={USER} argv=/bin/cat
slow unix - n n - 0 spawn user={USER} argv=/bin/sleep 1000
status unix - n n - 0 spawn user={USER} argv=/bin/sh -c {{{{read x; exit $x}}}}
absent unix - n n - 0 spawn user={USER} argv=/nonexistent/program
stranger unix - n n - 0 spawn user=nonesuch argv=/bin/cat
nameless unix - n n - 0 spawn argv=/bin/cat
{'super unix - n n - 0 spawn user=root argv=/bin/cat' if IS_ROOT else ''}
{f'jail unix - n y - 0 spawn user={USER} argv=/usr/bin/pwd' if IS_ROOT else ''}
owner unix - n n - 0 spawn user={'mail' if IS_ROOT else 'nobody'} argv=/bin/cat
127.0.0.1:{PORT} inet n n n - 0 spawn user={USER} argv=/bin/cat
'''


def commands(name):
    """pids of `name` below the processes that start commands"""
    found = []
    for pid in spawners():
        with open(f'/proc/{pid}/task/{pid}/children') as f:
            found += [int(c) for c in f.read().split() if name in open(f'/proc/{c}/cmdline').read()]
    return found


def spare_descriptors(pid):
    """how many are open that belong to no command"""
    with open(f'/proc/{pid}/task/{pid}/children') as f:
        return len(os.listdir(f'/proc/{pid}/fd')) - len(f.read().split())


def spawners():
    return [pid for pid, line in mail.children().items() if line.startswith('ekiden spawn ')]


def fill_jail(program):
    """what `program` needs, in the queue directory"""
    libraries = re.findall(r'(/\S+) \(0x', subprocess.run(['ldd', program], capture_output=True, text=True, check=True).stdout)
    for path in [program, *libraries]:
        os.makedirs(os.path.dirname(mail.spool + path), exist_ok=True)
        shutil.copy(path, mail.spool + path)


def connect(name, folder='private'):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(os.path.join(mail.spool, folder, name))
    return s


def everything(s):
    with s, s.makefile('rb') as f:
        return f.read().decode()


PORT = free_port()
with Instance(main='smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service unix:private/policy\npolicy_time_limit = 3600\n'
                   'slow_time_limit = 1s\nexport_environment = TZ MAIL_CONFIG {FOO=a b}\n', start=False) as mail:
    mail.write('policy.py', POLICY)
    mail.write('facts.py', FACTS)
    master = open(f'{mail.config}/master.cf').read()
    mail.write('master.cf', master + lines().replace('{CONFIG}', mail.config).replace('{{', '{').replace('}}', '}'))
    if IS_ROOT:
        fill_jail('/usr/bin/pwd')
    checked = mail.run('postfix', 'check').stderr
    expect_match(r'master\.cf: line \d+: service absent turns its clients away: command /nonexistent/program: No such file or directory', checked, 'check')
    expect_match(r'master\.cf: line \d+: service stranger turns its clients away: unknown user name: nonesuch', checked, 'check')
    expect_match(r'master\.cf: line \d+: service nameless turns its clients away: missing user= attribute', checked, 'check')
    if IS_ROOT:
        expect_match(r'service super turns its clients away: request to deliver as root', checked, 'check')
        expect_match(r'service owner turns its clients away: request to deliver as mail system owner', checked, 'check')
    else:
        expect_match(r'service owner turns its clients away: request to run a command as nobody, and the mail system was not started by root', checked, 'check')
    # Services that no parameter names are hinted at, and that is all.
    complaints = [line for line in re.findall(r'service (?:policy|facts|echo|slow|status|jail) .*', checked) if 'where it shall be asked' not in line]
    expect(complaints, [], 'complaints about what is right')
    mail.start()

    with mail.dialogue() as d:
        d.say('EHLO client.test')
        d.say('MAIL FROM:<bad@remote.test>')
        pid = expect_match(r'^554 5\.7\.1 <alice@example\.test>: Recipient address rejected: pid (\d+)$', d.say('RCPT TO:<alice@example.test>'), 'the refusal').group(1)
        expect(os.stat(f'/proc/{pid}').st_uid, ACCOUNT.pw_uid, 'whose process answers')
    mail.send()
    expect_match('^X-Policy: passed$', mail.wait_for_mail('alice')[0], 'the header')

    # ---- what a command finds
    error, said = sorted(everything(connect('facts')).splitlines())
    expect(error, 'said on standard error', 'standard error')
    facts = json.loads(said)
    expect(facts['uid'] + facts['gid'], [ACCOUNT.pw_uid] * 3 + [ACCOUNT.pw_gid] * 3, 'its rights')
    if IS_ROOT:
        expect(facts['groups'], [ACCOUNT.pw_gid], 'its groups')
    expect(facts['cwd'], mail.spool, 'its folder')
    expect((facts['umask'], facts['group'], facts['blocked']), (0o077, True, []), 'umask, group and signals')
    expect(sorted(facts['fds']), ['0', '1', '2'], 'its descriptors')
    expect(facts['argv'], ['$myhostname', 'two words', ';exit'], 'its arguments')
    environment = {name: value for name, value in facts['environment'].items() if name != 'LC_CTYPE'}     # Python's own
    expect({**environment, 'TZ': ''}, {'PATH': '/usr/bin:/bin', 'MAIL_CONFIG': mail.config, 'FOO': 'a b', 'TZ': ''}, 'its environment')

    if IS_ROOT:
        expect(everything(connect('jail')), '/\n', 'the folder of a command in the chroot')

    # ---- sockets
    for folder, name in (('private', 'policy'), ('public', 'echo')):
        at = os.stat(os.path.join(mail.spool, folder, name))
        expect((at.st_uid, oct(at.st_mode & 0o7777)), (pwd.getpwnam(mail.owner).pw_uid, '0o666'), f'owner and mode of {name}')
    with socket.create_connection(('127.0.0.1', PORT), timeout=10) as s:
        s.sendall(b'over TCP')
        expect(s.recv(100), b'over TCP', 'the port')

    # ---- its end is told when it is no good one
    for status, told in ((0, None), (3, 'exit status 3')):
        with connect('status') as s:
            s.sendall(b'%d\n' % status)
            expect(s.recv(1), b'', 'its end')
        if told:
            mail.wait_for_log(rf'postfix/spawn\[\d+\]: warning: command /bin/sh {told}$')
    expect(re.findall('command /bin/sh .*', mail.log()), ['command /bin/sh exit status 3'], 'what is said of ends')
    spawner, = spawners()
    descriptors = spare_descriptors(spawner)
    for s in [connect('status') for _ in range(50)]:
        s.sendall(b'0\n')
        expect(everything(s), '', 'its end')
    wait_until(lambda: spare_descriptors(spawner) <= descriptors, lambda: f'the end of descriptors: there were {descriptors}, now {spare_descriptors(spawner)}')
    begun = time.monotonic()
    with connect('slow') as s:
        late, = wait_until(lambda: commands('sleep'), 'the slow command')
        expect(s.recv(1), b'', 'the end of its time')
    expect(0.9 < time.monotonic() - begun, True, f'{time.monotonic() - begun} s are its time')
    mail.wait_for_log(rf'postfix/spawn\[\d+\]: warning: /bin/sleep: process id {late}: command time limit exceeded$')
    mail.wait_for_log(r'postfix/spawn\[\d+\]: warning: command /bin/sleep killed by signal 9$')

    # ---- who cannot be served is turned away at once
    refused = {'absent': 'fatal: execvp /nonexistent/program: No such file or directory', 'stranger': 'fatal: unknown user name: nonesuch', 'nameless': 'fatal: missing user= attribute',
               'owner': 'fatal: request to deliver as mail system owner' if IS_ROOT else 'fatal: request to run a command as nobody'}
    if IS_ROOT:
        refused['super'] = 'fatal: request to deliver as root'
    for name, told in refused.items():
        expect(everything(connect(name)), '', name)
        mail.wait_for_log(rf'postfix/spawn\[\d+\]: {told}')

    # ---- two at a time
    first, second, third = connect('echo', 'public'), connect('echo', 'public'), connect('echo', 'public')
    for s in (first, second, third):
        s.sendall(b'x')
    expect((first.recv(1), second.recv(1)), (b'x', b'x'), 'two clients')
    third.settimeout(0.5)
    try:
        expect(third.recv(1), 'nothing', 'a third client')
    except TimeoutError:
        pass
    third.settimeout(10)
    first.close()
    expect(third.recv(1), b'x', 'the third, when the first has left')

    # ---- a reload: what runs goes on, new lines count, old ones are gone
    before = spawners()
    mail.write('master.cf', master + f'new unix - n n - 0 spawn user={USER} argv=/bin/echo new\npolicy unix - n n - 0 spawn user={USER} argv=/bin/sh -c '
               '{ while read x; do test "$x" || printf "action=REJECT changed\\n\\n"; done }\n')
    mail.run('postfix', 'reload')
    def answer_of_new():    # bound is not yet listening
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            return everything(connect('new'))
    expect(wait_until(answer_of_new, 'a new socket'), 'new\n', 'a new line')
    wait_until(lambda: not os.path.exists(os.path.join(mail.spool, 'private', 'facts')), 'the end of a socket')
    second.sendall(b'y')
    expect(second.recv(1), b'y', 'a command from before')
    second.close()
    third.close()
    def answer():
        with connect('policy') as s:
            s.sendall(b'request=smtpd_access_policy\nsender=bad\n\n')
            return s.recv(100)
    wait_until(lambda: answer() == b'action=REJECT changed\n\n', 'the answer of a changed line')
    wait_until(lambda: len(now := spawners()) == 1 and now != before or [os.kill(c, signal.SIGTERM) for c in commands('policy.py')] and None, lambda: f'the end of {before}; there are {mail.children()}')

    # ---- the log is another file
    before = spawners()
    os.rename(mail.log_file, mail.log_file + '.1')
    os.kill(mail.master_pid(), signal.SIGUSR1)
    wait_until(lambda: len(now := spawners()) == 1 and now != before, lambda: f'a successor; there are {mail.children()}')

    # ---- it dies: commands end with it, the next client waits until it is there again
    held = connect('policy')
    held.sendall(b'a\n\n')
    expect(held.recv(100)[:6], b'action', 'before its death')
    victim, = spawners()
    os.kill(victim, signal.SIGKILL)
    expect(held.recv(1), b'', 'the end of its commands')
    expect(everything(connect('new')), 'new\n', 'after its death')
    mail.wait_for_log(rf'postfix/master\[\d+\]: warning: process spawn pid {victim} killed by signal 9$')

    # ---- a stop ends all
    held = connect('policy')
    held.sendall(b'a\n\n')
    expect(held.recv(100)[:6], b'action', 'before the stop')
    running = [*spawners(), *commands('sh')]
    mail.stop()
    expect(held.recv(1), b'', 'the stop')
    wait_until(lambda: not any(os.path.exists(f'/proc/{pid}') for pid in running), 'the end of all')
    expect([n for n in os.listdir(os.path.join(mail.spool, 'private')) if n in ('new', 'policy')], [], 'sockets that are left')
    expect(re.findall(r'spawn\[\d+\]: warning: command /bin/sh killed.*', mail.log()), [], 'complaints about commands that were told to end')
