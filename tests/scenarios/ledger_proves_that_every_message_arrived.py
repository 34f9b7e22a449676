"""smtp-source through Ekiden to smtp-sink: the two ledgers prove that every message arrived once and unchanged, and a lost, doubled or changed one is named."""
import json, re, subprocess
from instance import Instance, expect, expect_match, free_port, tool, wait_until

MESSAGES, RECIPIENTS = 60, 3
port = free_port()


def check(sent, received, *more):
    p = subprocess.run([tool('smtp-sink'), '--ledger-check', *more, sent, received], capture_output=True, text=True, timeout=60)
    expect(p.stderr, '', 'complaints of the check')
    return p.returncode, p.stdout


with Instance(main=f'relayhost = [127.0.0.1]:{port}\nsmtp_generic_maps =\n') as mail:
    sent, received = mail.folder + '/sent', mail.folder + '/received'
    who = ['-u', mail.owner] if mail.owner == 'mail' else []
    with open(received, 'w'):
        pass
    sink = subprocess.Popen([tool('smtp-sink'), *who, '--ledger', received, f'127.0.0.1:{port}', '100'])
    try:
        for more in (('-l', '20000'), ('-d',)):
            done = subprocess.run([tool('smtp-source'), '-s', '5', '-m', str(MESSAGES), '-r', str(RECIPIENTS), '-f', 'a@client.test', '-t', 'b@far.test',
                                   '--ledger', sent, *more, f'127.0.0.1:{mail.port}'], capture_output=True, text=True, timeout=60)
            expect((done.returncode, done.stderr), (0, ''), f'smtp-source {more}')
        copies = 2 * MESSAGES * RECIPIENTS
        wait_until(lambda: open(received).read().count('\n') >= copies, 'all copies at the sink')
        mail.wait_for_empty_queue()
        expect(check(sent, received),
               (0, f'{copies} acknowledged: {copies} arrived once and unchanged, 0 lost, 0 duplicate, 0 changed; 0 unasked\n'), 'the proof')
    finally:
        sink.terminate()
        sink.wait(10)

    # the same check, with what arrived tampered with
    lines = open(received).read().splitlines(True)
    name = [re.search(r'^received \w+ (\S+ \S+)$', line).group(1) for line in lines[:3]]
    changed = re.sub(' [0-9a-f]{64} ', ' ' + '0' * 64 + ' ', lines[2])
    with open(received, 'w') as f:
        f.writelines([lines[1], lines[1], changed, *lines[3:]])
    status, said = check(sent, received)
    expect(status, 1, 'exit status when something is wrong')
    expect(sorted(said.splitlines()[:-1]), sorted([f'lost {name[0]}', f'duplicate {name[1]} (arrived 2 times)', f'changed {name[2]}']), 'the findings')
    expect_match(f'^{copies} acknowledged: {copies - 3} arrived once and unchanged, 1 lost, 1 duplicate, 1 changed; 0 unasked$', said, 'the figures')
    status, said = check(sent, received, '--json')
    report = json.loads(said)
    expect((status, report['proof'], report['lost'], report['duplicate'], report['changed'], report['sound']), (1, False, 1, 1, 1, copies - 3), 'the same as JSON')
    expect(sorted(f'{f["id"]} {f["recipient"]}' for f in report['findings']), sorted(name), 'the findings as JSON')
