"""smtp-source --rate: messages begin when they are due and not before, and the time one waits for a free session counts as the server's."""
import subprocess, time
from instance import FarServer, expect, expect_match, tool

PAUSE = 0.1     # what this server takes for each message
begun = []      # when its MAIL commands came


def on_mail(_):
    begun.append(time.monotonic())
    return '250 2.1.0 ok'


def on_end(_):
    time.sleep(PAUSE)
    return '250 2.0.0 ok'


def run(*args):
    del begun[:]
    start = time.monotonic()
    done = subprocess.run([tool('smtp-source'), '--latency', '-f', 'a@client.test', '-t', 'b@far.test', *args, f'127.0.0.1:{server.port}'],
                          capture_output=True, text=True, timeout=60)
    expect((done.returncode, done.stderr), (0, ''), f'smtp-source {args}')
    found = expect_match(r'^(\d+) messages in (\d+\.\d+) s, \d+ per second; ms: 50% ([\d.]+), 90% [\d.]+, 99% [\d.]+, 100% ([\d.]+)$', done.stdout, 'figures')
    expect(int(found.group(1)), len(begun), 'messages')
    return [t - start for t in sorted(begun)], *(float(found.group(i)) for i in (2, 3, 4))


server = FarServer({'MAIL': on_mail, '.': on_end})
try:
    # enough sessions: without a rate all would begin at once
    for more in ((), ('-d',)):
        times, whole, _, _ = run('-s', '20', '-m', '30', '--rate', '40', *more)
        early = [(k, t) for k, t in enumerate(times) if t < k / 40]
        expect(early, [], f'messages before their time {more}')
        expect(whole >= 29 / 40 + PAUSE, True, f'the whole time {more}: {whole}')

    # one session is not enough: the last of ten is due after 9/50 s and done after ten pauses
    _, whole, half, last = run('-s', '1', '-m', '10', '--rate', '50')
    expect((whole >= 10 * PAUSE, half >= 1000 * (5 * PAUSE - 4 / 50) - 1, last >= 1000 * (10 * PAUSE - 9 / 50) - 1), (True,) * 3,
           f'times that include the waiting: {whole}, {half}, {last}')
    # Without a rate nobody waits: one after the other, three messages of four take at least the median each.
    _, whole, half, _ = run('-s', '1', '-m', '4')
    expect(3 * half <= 1000 * whole + 10, True, f'the time of a message without a rate: {half} ms of {whole} s')

    done = subprocess.run([tool('smtp-source'), '--rate', '5', '-w', '1', 'h'], capture_output=True, text=True, timeout=60)
    expect((done.returncode, done.stderr.endswith('--rate option cannot be used with -w or -R\n')), (1, True), 'options that exclude each other')
finally:
    server.close()
