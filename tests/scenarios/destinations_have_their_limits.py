"""How many deliveries a host gets at a time, how many recipients in each, how carefully it is begun with, and when it counts as
dead: as the transport's parameters say."""
import math, threading
from instance import FarServer, Instance, expect, free_port, wait_until


class Barrier:
    """The answer to an end of data is kept back until it is let through. How many wait for it is counted."""

    def __init__(self):
        self.changed, self.waiting, self.most, self.allowed = threading.Condition(), 0, 0, math.inf

    def __call__(self, line):
        with self.changed:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            self.changed.wait_for(lambda: self.allowed > 0)
            self.allowed -= 1
            self.waiting -= 1
        return '250 2.0.0 ok'

    def let(self, count):
        with self.changed:
            self.allowed = count
            self.changed.notify_all()


def far_side():
    far = FarServer()
    far.barrier = Barrier()
    far.answers = {'.': far.barrier}
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
    fars = {'narrow': narrow, 'wide': wide, 'careful': careful}
    for domain, far in fars.items():
        far.had = len(far.messages)
        far.barrier.let(0)
        for n in range(16):
            mail.send(to=[f'user@{domain}.test'])
    first = {'narrow': 2, 'wide': 8, 'careful': 1}
    wait_until(lambda: {domain: far.barrier.waiting for domain, far in fars.items()} == first,
               lambda: f'the first deliveries; there are {[far.barrier.waiting for far in fars.values()]}')
    # With each that succeeds, one more is risked.
    for in_hand in range(2, 7):
        careful.barrier.let(1)
        wait_until(lambda: careful.barrier.waiting == in_hand, lambda: f'{in_hand} deliveries at a time; there are {careful.barrier.waiting}')
        expect(len(careful.messages) - careful.had, in_hand - 1, 'deliveries that had succeeded')
    # Nothing more has come all the while.
    expect({domain: far.barrier.most for domain, far in fars.items()}, first | {'careful': 6}, 'deliveries at a time')
    for far in fars.values():
        far.barrier.let(math.inf)
        far.wait_for(far.had + 16)
    expect(narrow.barrier.most, 2, 'deliveries at a time to the narrow host')

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
