"""What tests need that kill: who is gone, unique messages and clients that send them, starts after a kill."""
import contextlib, os, random, signal, smtplib, threading, time

from instance import expect, wait_until

# Seconds before a kill within which a delivery may be forgotten: 100 ms, the time of a batch, and what a machine that is
# busy with other tests takes for both.
WINDOW = 1.5
# And what a process of the helper, which nobody kills, may take after that to finish the one delivery it was started for.
LINGER = 0.5


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
    """Sends unique messages to `recipients` in turn, without pause, until is_over; `acknowledged` are the names of those
    that were answered 250."""

    def __init__(self, mail, number, recipients):
        super().__init__(daemon=True)
        self.mail, self.number, self.recipients, self.acknowledged, self.is_over = mail, number, recipients, [], False
        self.start()

    def run(self):
        count = 0
        while not self.is_over:
            try:
                with smtplib.SMTP('127.0.0.1', self.mail.port, local_hostname='client.test', timeout=10) as s:
                    while not self.is_over:
                        count += 1
                        name = f'm{self.number}-{count}'
                        s.sendmail('a@remote.test', [self.recipients[count % len(self.recipients)]], body_of(name))
                        self.acknowledged.append(name)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)        # nobody listens right now


def start_again(mail):
    """as an operator would: until it works, since what is left of the old system needs a moment to notice"""
    wait_until(lambda: mail.run('postfix', 'start', check=False).returncode == 0 or mail.run('postfix', 'status', check=False).returncode == 0, 'the start after a kill')


def kill_one(mail, victim):
    """'engine', 'helper', 'master' or 'everything' at once; returns when mail can flow again: (begin, end) of the outage"""
    master, children = mail.master_pid(), dict(mail.children())
    engine = mail.engine_pid()
    helper = [pid for pid, line in children.items() if ' helper' in line]
    expect(len(helper), 1, 'helpers of the running system')
    begin = time.time()
    kill({'engine': [engine], 'helper': helper, 'everything': [master, *children], 'master': [master]}[victim])
    # Those whose engine or master was killed end, too, each in its way.
    dying = helper if victim == 'helper' else children
    wait_until(lambda: all(gone(pid) for pid in dying), f'the end of engine and helper after a kill of {victim}')
    end = time.time()
    if victim in ('everything', 'master'):
        wait_until(lambda: gone(master), 'the end of the master')
        start_again(mail)
    return begin, end


def unexplained(arrivals, kills):
    """of {name: times of arrival} those that came again although no kill fell between the first delivery and its settling"""
    def is_explained(first):
        return any(begin - WINDOW <= first <= end + LINGER for begin, end in kills)
    return {name: times for name, times in arrivals.items() if not all(is_explained(first) for first in sorted(times)[:-1])}
