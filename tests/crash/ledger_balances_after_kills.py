"""A ledger of relayed and local mail while engine, helper, master or everything is killed at random moments: each message
that was acknowledged arrives at least once and unchanged, and once exactly where no kill fell between its delivery and
its settling.

Half of the mail goes to a host that keeps the list, half into a virtual Maildir. Then the far side is gone for a while as
well, so that some of the mail is on its second attempt when the last kill comes. Rounds: EKIDEN_KILL_ROUNDS (default 5,
about 10 s); the seed is printed and can be given as EKIDEN_KILL_SEED.
"""
import collections, os, random, re, time
from crashes import Client, body_of, kill_one, unexplained
from instance import FarServer, Instance, expect, wait_until

ROUNDS = int(os.environ.get('EKIDEN_KILL_ROUNDS', '5'))
SEED = int(os.environ.get('EKIDEN_KILL_SEED', random.randrange(1 << 30)))


class Ledger(list):
    """the far side's list, each entry with its time"""

    def append(self, message):
        super().append((time.time(), message[2]))


def note(arrivals, text, when, where):
    name = re.search(r'^Subject: (\S+)\r?$', text, re.M).group(1)
    got = text.replace('\r\n', '\n').split('\n\n', 1)[1]
    expect(got, body_of(name).split('\n\n', 1)[1], f'the text of {name} {where}')
    arrivals[name].append(when)


def main():
    print(f'seed {SEED}, {ROUNDS} kills', flush=True)
    dice = random.Random(SEED)
    kills = []
    far = FarServer()
    far.messages = Ledger()
    settings = f'''\
relayhost = [127.0.0.1]:{far.port}
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
'''
    with Instance(main=settings) as mail:
        clients = [Client(mail, n, ['alice@example.test', 'somebody@far.test']) for n in range(4)]
        victims = ['engine', 'helper', 'everything', 'master']
        for turn in range(ROUNDS):
            before = sum(len(c.acknowledged) for c in clients)
            wait_until(lambda: sum(len(c.acknowledged) for c in clients) > before + 20, 'traffic after a start')
            if turn == ROUNDS - 1:
                far.answers = {'MAIL': '451 4.3.0 not now'}     # what comes now is deferred
                before = sum(len(c.acknowledged) for c in clients)
                wait_until(lambda: sum(len(c.acknowledged) for c in clients) > before + 20, 'traffic that is deferred')
            time.sleep(dice.uniform(0, 0.5))        # the moment of the kill is what this test varies
            kills.append(kill_one(mail, victims[turn % len(victims)]))
        far.answers = {}
        for client in clients:
            client.is_over = True
        for client in clients:
            client.join()

        def is_empty():
            mail.run('postqueue', '-f', check=False)
            return 'Mail queue is empty' in mail.run('postqueue', '-p', check=False).stdout
        wait_until(is_empty, 'an empty queue', limit=60)
        mail.stop()

        arrivals = collections.defaultdict(list)
        for when, content in list(far.messages):
            note(arrivals, content.decode(), when, 'at the far side')
        new = os.path.join(mail.vmail, 'alice', 'new')
        for file in os.listdir(new):
            with open(os.path.join(new, file)) as f:
                note(arrivals, f.read(), os.stat(f.fileno()).st_mtime, f'in {file}')
        acknowledged = [name for c in clients for name in c.acknowledged]
        again = {name: times for name, times in arrivals.items() if len(times) > 1}
        print(f'{len(acknowledged)} acknowledged, {len(arrivals)} arrived, {len(again)} of them more than once, {len(kills)} kills')
        expect([name for name in acknowledged if name not in arrivals], [], f'acknowledged messages that did not arrive (seed {SEED})')
        expect(unexplained(again, kills), {}, f'second copies that no kill explains, kills were at {kills} (seed {SEED})')
        expect([line for line in mail.log().splitlines() if 'corrupt' in line or 'panic' in line], [], 'complaints in the log')
    far.close()


main()
