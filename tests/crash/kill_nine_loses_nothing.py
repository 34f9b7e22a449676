"""SIGKILL for the engine, the master or everything at random moments, under traffic: whatever was answered 250 arrives.

Four clients send unique messages to three Maildirs without pause while somebody kills. After the last start the queue is
delivered, then every Maildir is read: each acknowledged message is there, none is cut, and a message that is there twice
was delivered first in the short time before a kill that docs/queue.md allows (settled, but not yet on the disk), or by
a process of the helper that outlived the engine for a moment.
Rounds: EKIDEN_KILL_ROUNDS (default 6, about 20 s); the seed is printed and can be given as EKIDEN_KILL_SEED.
"""
import collections, os, random, re, time
from crashes import Client, body_of, kill_one, unexplained
from instance import Instance, expect, wait_until

ROUNDS = int(os.environ.get('EKIDEN_KILL_ROUNDS', '6'))
SEED = int(os.environ.get('EKIDEN_KILL_SEED', random.randrange(1 << 30)))
USERS = ('alice', 'bob', 'carol')
# A client that has gone away must not be remembered for long, and a killed system has no time to lose.
SETTINGS = 'smtpd_client_connection_count_limit = 0\nsmtpd_client_connection_rate_limit = 0\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\n'


def main():
    print(f'seed {SEED}, {ROUNDS} rounds')
    dice = random.Random(SEED)
    kills = []
    with Instance(main=SETTINGS) as mail:
        clients = [Client(mail, n, [f'{user}@example.test' for user in USERS]) for n in range(4)]
        victims = ['engine', 'everything', 'master'] * ROUNDS
        for victim in victims[:ROUNDS]:
            before = sum(len(c.acknowledged) for c in clients)
            wait_until(lambda: sum(len(c.acknowledged) for c in clients) > before + 20, 'traffic after a start')
            time.sleep(dice.uniform(0, 0.6))        # the moment of the kill is what this test varies
            kills.append(kill_one(mail, victim))
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
        expect(unexplained(again, kills), {}, f'second copies that no kill explains, kills were at {kills} (seed {SEED})')
        expect([line for line in mail.log().splitlines() if 'corrupt' in line or 'panic' in line], [], 'complaints in the log')


main()
