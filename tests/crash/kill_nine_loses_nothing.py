"""SIGKILL for the engine, the master or everything at random moments, under traffic: whatever was answered 250 arrives.

Four clients send unique messages to three Maildirs without pause while somebody kills. After the last start the queue is
delivered, then every Maildir is read: each acknowledged message is there, none is cut, and a message that is there twice
was delivered first in the short time before a kill that docs/queue.md allows (settled, but not yet on the disk), or by
a process of the helper that outlived the engine for a moment.
Rounds: EKIDEN_KILL_ROUNDS (default 6, about 20 s); the seed is printed and can be given as EKIDEN_KILL_SEED.
"""
import collections, contextlib, os, random, re, signal, smtplib, threading, time
from instance import Instance, expect, wait_until

ROUNDS = int(os.environ.get('EKIDEN_KILL_ROUNDS', '6'))
SEED = int(os.environ.get('EKIDEN_KILL_SEED', random.randrange(1 << 30)))
# Seconds before a kill within which a delivery may be forgotten: 100 ms, the time of a batch, and what a machine that is
# busy with other tests takes for both.
WINDOW = 1.5
# And what a process of the helper, which nobody kills, may take after that to finish the one delivery it was started for.
LINGER = 0.5
USERS = ('alice', 'bob', 'carol')
# A client that has gone away must not be remembered for long, and a killed system has no time to lose.
SETTINGS = 'smtpd_client_connection_count_limit = 0\nsmtpd_client_connection_rate_limit = 0\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\n'


def gone(pid):
    """with all its threads: the first may have ended while another is still in a system call"""
    try:
        for thread in os.listdir(f'/proc/{pid}/task'):
            with open(f'/proc/{pid}/task/{thread}/stat') as f:
                if f.read().rsplit(')', 1)[1].split()[0] not in 'ZX':
                    return False
    except OSError:
        return not os.path.exists(f'/proc/{pid}')
    return True


def kill(pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def body_of(name):
    lines = random.Random(name).choice((1, 3, 40, 4000))
    return f'Subject: {name}\n\n' + f'line of {name}\n' * lines + f'end of {name}\n'


class Client(threading.Thread):
    def __init__(self, mail, number):
        super().__init__(daemon=True)
        self.mail, self.number, self.acknowledged, self.is_over = mail, number, [], False
        self.start()

    def run(self):
        count = 0
        while not self.is_over:
            try:
                with smtplib.SMTP('127.0.0.1', self.mail.port, local_hostname='client.test', timeout=10) as s:
                    while not self.is_over:
                        count += 1
                        name = f'm{self.number}-{count}'
                        s.sendmail('a@remote.test', [f'{USERS[count % 3]}@example.test'], body_of(name))
                        self.acknowledged.append(name)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)        # nobody listens right now


def start_again(mail):
    """as an operator would: until it works, since what is left of the old system needs a moment to notice"""
    wait_until(lambda: mail.run('postfix', 'start', check=False).returncode == 0 or mail.run('postfix', 'status', check=False).returncode == 0, 'the start after a kill')


def main():
    print(f'seed {SEED}, {ROUNDS} rounds')
    dice = random.Random(SEED)
    kills = []
    with Instance(main=SETTINGS) as mail:
        clients = [Client(mail, n) for n in range(4)]
        victims = ['engine', 'everything', 'master'] * ROUNDS
        for victim in victims[:ROUNDS]:
            before = sum(len(c.acknowledged) for c in clients)
            wait_until(lambda: sum(len(c.acknowledged) for c in clients) > before + 20, 'traffic after a start')
            time.sleep(dice.uniform(0, 0.6))        # the moment of the kill is what this test varies
            master, children = mail.master_pid(), list(mail.children())
            engine = mail.engine_pid()
            begin = time.time()
            kill({'engine': [engine], 'everything': [master, *children], 'master': [master]}[victim])
            # Those whose engine or master was killed end, too, each in its way.
            wait_until(lambda: all(gone(pid) for pid in children), 'the end of engine and helper')
            kills.append((begin, time.time()))
            if victim != 'engine':
                wait_until(lambda: gone(master), 'the end of the master')
                start_again(mail)
        for client in clients:
            client.is_over = True
        for client in clients:
            client.join()
        wait_until(lambda: mail.run('postqueue', '-f', check=False).returncode == 0, 'a running system')
        mail.wait_for_empty_queue(60)
        mail.stop()

        arrivals = collections.defaultdict(list)
        for user in USERS:
            new = os.path.join(mail.vmail, user, 'new')
            for file in os.listdir(new):
                path = os.path.join(new, file)
                with open(path) as f:
                    text = f.read()
                name = re.search(r'^Subject: (\S+)$', text, re.M).group(1)
                expect(text.split('\n\n', 1)[1], body_of(name).split('\n\n', 1)[1], f'the text of {name} in {path}')
                arrivals[name].append(os.stat(path).st_mtime)
        acknowledged = [name for c in clients for name in c.acknowledged]
        lost = [name for name in acknowledged if name not in arrivals]
        expect(lost, [], f'acknowledged messages that did not arrive (seed {SEED})')
        again = {name: sorted(times) for name, times in arrivals.items() if len(times) > 1}
        print(f'{len(acknowledged)} acknowledged, {len(arrivals)} arrived, {len(again)} of them more than once, {len(kills)} kills')
        for name, times in again.items():
            for first in times[:-1]:
                if not any(begin - WINDOW <= first <= end + LINGER for begin, end in kills):
                    raise SystemExit(f'{name} was delivered at {times}, kills were at {kills}: not within {WINDOW} s before one (seed {SEED})')
        expect([line for line in mail.log().splitlines() if 'corrupt' in line or 'panic' in line], [], 'complaints in the log')


main()
