"""A configuration that was copied, with other folders and the same ports: the second instance does not start, and the first gets all
connections. Two spools that share a port would each get half of the mail."""
from instance import Instance, expect, expect_match

with Instance() as first, Instance(start=False) as second:
    for name in ('main.cf', 'master.cf'):
        with open(f'{second.config}/{name}') as f:
            text = f.read()
        second.write(name, text.replace(str(second.port), str(first.port)))
    refused = second.run('postfix', 'start', check=False)
    expect(refused.returncode, 1, 'the exit status of the second start')
    expect_match(rf'fatal: bind 127\.0\.0\.1 port {first.port}: Address already in use', refused.stderr, 'what it says')
    expect_match(rf'fatal: bind 127\.0\.0\.1 port {first.port}: Address already in use', second.log(), 'what its log says')
    for _ in range(10):
        first.send()
    first.wait_for_mail('alice', 10)
    # Its own sockets are no strangers to it: neither at a reload nor at the next start.
    first.run('postfix', 'reload')
    first.wait_for_log('reload -- version')
    first.run('postfix', 'stop')
    first.start()
    first.send()
    first.wait_for_mail('alice', 11)
