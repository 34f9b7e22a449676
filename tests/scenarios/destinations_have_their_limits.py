"""How many deliveries a host gets at a time, how many recipients in each, how carefully it is begun with, and when it counts as
dead: as the transport's parameters say."""
import threading, time
from instance import FarServer, Instance, expect, free_port, wait_until


class Busy:
    """end-of-data takes a moment; how many are in hand at a time is counted, at first and at most"""

    def __init__(self):
        self.lock, self.now, self.history = threading.Lock(), 0, []

    def __call__(self, line):
        with self.lock:
            self.now += 1
            self.history.append(self.now)
        time.sleep(0.1)
        with self.lock:
            self.now -= 1
        return '250 2.0.0 ok'


def far_side():
    far = FarServer()
    far.busy = Busy()
    far.answers = {'.': far.busy}
    return far


narrow, wide, careful = far_side(), far_side(), far_side()
dead = free_port()
hops = {'narrow.test': f'narrow:[127.0.0.1]:{narrow.port}', 'wide.test': f'wide:[127.0.0.1]:{wide.port}', 'careful.test': f'careful:[127.0.0.1]:{careful.port}',
        'dead.test': f'given:[127.0.0.1]:{dead}', 'patient.test': f'patient:[127.0.0.1]:{dead}'}
with Instance(main='transport_maps = inline:{' + ' '.join(f'{{{d}={hop}}}' for d, hop in hops.items()) + '''}
narrow_destination_concurrency_limit = 2
narrow_destination_recipient_limit = 3
wide_initial_destination_concurrency = 8
careful_initial_destination_concurrency = 1
careful_destination_concurrency_positive_feedback = 1
given_initial_destination_concurrency = 1
patient_initial_destination_concurrency = 1
patient_destination_concurrency_failed_cohort_limit = 0
minimal_backoff_time = 300s
''', master=''.join(f'{name} unix - - n - - smtp\n' for name in ('narrow', 'wide', 'careful', 'given', 'patient'))) as mail:
    mail.send(to=[f'user{n}@narrow.test' for n in range(10)])
    expect(sorted(len(m[1]) for m in narrow.wait_for(4)), [1, 3, 3, 3], 'recipients in each delivery')
    for domain, far in (('narrow', narrow), ('wide', wide), ('careful', careful)):
        had = len(far.messages)
        for n in range(16):
            mail.send(to=[f'user@{domain}.test'])
        far.wait_for(had + 16)
    expect(max(narrow.busy.history), 2, 'deliveries at a time to the narrow host')
    expect(max(wide.busy.history) >= 6, True, f'deliveries at a time to the wide host: {wide.busy.history}')
    expect(careful.busy.history[0], 1, 'deliveries at first')
    expect(careful.busy.history[1] <= 2 < max(careful.busy.history), True, f'a window that grows: {careful.busy.history}')

    # One failure of a window of one makes a host dead, unless it never is.
    for domain, tries in (('dead', 1), ('patient', 4)):
        for n in range(4):
            mail.send(to=[f'user{n}@{domain}.test'])
            mail.wait_for_log(rf'to=<user{n}@{domain}\.test>.*status=deferred')
        lines = [line for line in mail.log().splitlines() if f'@{domain}.test>' in line and 'status=deferred' in line]
        expect(sum('suspended' not in line for line in lines), tries, f'attempts at the {domain} host')
        expect(all('/error[' in line for line in lines if 'suspended' in line), True, 'who told of the others')
for far in (narrow, wide, careful):
    far.close()
