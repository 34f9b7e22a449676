"""Thousands of clients at once, half of them slow or silent: memory grows by a bounded amount for each, and live clients are served
with a bounded amount of work. EKIDEN_TEST_CONNECTIONS=10000 for more than the usual 2000."""
import os, resource, selectors, socket, sys, time

from instance import Instance, expect, may_look_into_processes, skip

COUNT = int(os.environ.get('EKIDEN_TEST_CONNECTIONS', '2000'))
PER_CONNECTION = 24 * 1024       # bytes of memory
PER_MESSAGE = 0.2                # seconds of the processor, a byte from each slow client included
if not may_look_into_processes():
    skip('may not see how much memory other processes have')
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
wanted = COUNT + 200
if soft < wanted:
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (ValueError, PermissionError):
        skip(f'needs {wanted} descriptors, and may have {hard}')


def processor_seconds(pid):
    with open(f'/proc/{pid}/stat') as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def pss(pid):
    return next(int(line.split()[1]) for line in open(f'/proc/{pid}/smaps_rollup') if line.startswith('Pss:')) * 1024


class Crowd:
    """connections of which a third says EHLO and waits, a third says a byte now and then, and the rest nothing"""
    def __init__(self, port, count):
        self.selector = selectors.DefaultSelector()
        self.sockets, self.greeted, self.slow = [], 0, []
        for i in range(count):
            s = socket.socket()
            s.setblocking(False)
            s.bind((f'127.0.{1 + i // 200 % 200}.{1 + i % 200}', 0))
            s.connect_ex(('127.0.0.1', port))
            self.sockets.append(s)
            self.selector.register(s, selectors.EVENT_READ, i)
            if i % 200 == 199:
                self.turn(0)

    def turn(self, wait):
        for key, _ in self.selector.select(wait):
            data = key.fileobj.recv(4096)
            if not data:
                raise SystemExit(f'connection {key.data} was closed')
            if data.startswith(b'220'):
                self.greeted += 1
                if key.data % 3 == 0:
                    key.fileobj.send(b'EHLO client.test\r\n')
                if key.data % 3 == 1:
                    self.slow.append(key.fileobj)

    def drip(self):
        for s in self.slow:
            s.send(b'x')

    def close(self):
        for s in self.sockets:
            s.close()


with Instance(main='smtpd_client_connection_count_limit = 0\nsmtpd_peername_lookup = no\n') as mail:
    mail.send()
    pid = mail.engine_pid()
    before = pss(pid)
    begin = time.monotonic()
    crowd = Crowd(mail.port, COUNT)
    while crowd.greeted < COUNT:
        if time.monotonic() - begin > 120:
            raise SystemExit(f'{crowd.greeted} of {COUNT} greeted after two minutes')
        crowd.turn(1)
    greeted_in = time.monotonic() - begin

    slowest, used_before = 0, processor_seconds(pid)
    for _ in range(50):
        crowd.drip()
        crowd.turn(0)
        begin = time.monotonic()
        mail.send(to=['bob@example.test'])
        slowest = max(slowest, time.monotonic() - begin)
    used = processor_seconds(pid) - used_before
    after = pss(pid)
    per_connection = (after - before) // COUNT
    print(f'{COUNT} connections greeted in {greeted_in:.1f} s; {per_connection} bytes each (PSS {before >> 10} kB -> {after >> 10} kB); '
          f'the slowest of 50 messages took {slowest * 1000:.0f} ms, all of them {used:.2f} s of the processor')
    # The clock of a busy machine would say little about us.
    expect(used < 50 * PER_MESSAGE, True, f'bounded work ({used:.1f} s for 50 messages)')
    expect(per_connection < PER_CONNECTION, True, f'bounded memory ({per_connection} bytes for each connection)')
    mail.wait_for_mail('bob', 50)

    # When the crowd has gone, nothing is left of it.
    crowd.close()
    mail.wait_for_log('disconnect from', COUNT)
    for _ in range(3):
        mail.send(to=['carol@example.test'])
    mail.wait_for_mail('carol', 3)
