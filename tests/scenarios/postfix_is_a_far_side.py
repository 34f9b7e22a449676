"""Debian's Postfix takes our mail, many messages over few connections, refuses one recipient, and has the text unchanged."""
import glob, os, pathlib, subprocess, sys
from instance import ROOT, Instance, expect, expect_match, skip, wait_until
from own_mounts import in_own_mount_namespace

sys.path.insert(0, os.path.join(ROOT, 'dev'))
import bench_servers
from bench_servers import ACCOUNTS, SMTP_PORT, BenchError

BODY = '.\n..\n.dots and a long line ' + 'x' * 900 + '\nlast\n'
cache = pathlib.Path(os.environ.get('EKIDEN_POSTFIX_CACHE') or os.path.join(ROOT, 'build', 'bench'))
try:
    bench_servers.fetch_postfix(cache)      # while there is a network
except BenchError as error:
    skip(f'Debian\'s Postfix cannot be had: {error}'.replace('\n', ' '))
in_own_mount_namespace(network=True)
with Instance(main=f'relayhost = [127.0.0.1]:{SMTP_PORT}\n') as mail:
    private = pathlib.Path(mail.folder)
    try:
        bench_servers.adopt_orphans()
        far = bench_servers.postfix_server(cache, private / 'far')
        home = bench_servers.private_accounts(private)
        far.fresh(['mydestination = bench.test, far.test', 'smtpd_recipient_restrictions = check_recipient_access inline:{no@far.test=REJECT}, permit',
                   'luser_relay = bench@bench.test', 'smtpd_helo_required = yes', 'strict_rfc821_envelopes = yes'])
        far.start()
    except (BenchError, subprocess.SubprocessError, OSError) as error:
        skip(f'Debian\'s Postfix cannot be run here: {error}'.replace('\n', ' '))
    try:
        def arrived():
            return glob.glob(f'{home}/Maildir/new/*')
        mail.send('alice@example.test', ['yes@far.test', 'no@far.test'], 'Subject: to Postfix\n\n' + BODY)
        mail.wait_for_log(r'to=<yes@far\.test>, .*dsn=2\.0\.0, status=sent \(250 2\.0\.0 Ok: \d+ bytes queued as \w+\)')
        expect_match(r'said:\s+554\s+5\.7\.1\s+<no@far\.test>:\s+Recipient\s+address\s+rejected:\s+Access\s+denied', mail.wait_for_mail('alice')[0], 'the bounce')
        path, = wait_until(arrived, 'the message')
        with open(path) as f:
            expect(f.read().split('\n\n', 1)[1], BODY, 'the text')
        with mail.smtp() as s:
            for i in range(100):
                s.sendmail('alice@example.test', ['many@far.test'], f'Subject: {i}\n\nx\n')
        wait_until(lambda: len(arrived()) == 101, lambda: f'101 messages, there are {len(arrived())}')
        mail.wait_for_empty_queue()
        log = far.log.read_text()
        connections = log.count(': connect from')
        expect(connections < 60, True, f'{connections} connections for 102 messages are few')
        expect([line for line in log.splitlines() if 'smtpd' in line and ('improper' in line or 'lost connection' in line or 'warning' in line) and 'overriding earlier entry' not in line], [], 'complaints of Postfix')
    finally:
        far.stop()
