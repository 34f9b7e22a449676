#!/usr/bin/env python3
"""What becomes of mail when the far side does something wrong at some step, compared with what Postfix 3.7.11 made of it.

  tests/compat/smtp_faults.py [--record] [PATTERN]

tests/compat/smtp_faults.txt has the outcome of each case of tests/support/faulty_far.py, with that far side alone and with a second
one behind it that works (backup). --record runs Debian's Postfix instead, in private name spaces, and writes that file (root, and
apt for the package).
"""
import argparse, fnmatch, os, re, smtplib, subprocess, sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
import faulty_far
import reference
from instance import wait_until
from own_mounts import in_own_mount_namespace

RECORDED = os.path.join(ROOT, 'tests', 'compat', 'smtp_faults.txt')
# Where Ekiden differs on purpose: cases, its outcome. Postfix sends QUIT behind the dot where the peer has PIPELINING, and takes the
# reply to it for the one that is missing: "sent (221 2.0.0 bye)". Ekiden waits for the reply to the dot.
OWN = [
    (r'smtp-end-(garbage|nothing|short|nul)-p (one|two)|lmtp-end2?-(garbage|nothing|short|nul)-p two',
     r'deferred 4\.4\.2 \(conversation with ADDRESS\[ADDRESS\] timed out while sending end of data -- message may be sent more than once\); taken [01]'),
    (r'backup (smtp-end-(garbage|nothing|short|nul)-p (one|two)|lmtp-end2?-(garbage|nothing|short|nul)-p two)', r'sent 2\.0\.0 \(250 2\.0\.0 taken\); taken [12]'),
]


def times(seconds):
    return ''.join(f'{p}_{t}_timeout = {seconds}s\n' for p, hello in (('smtp', 'helo'), ('lmtp', 'lhlo'))
                   for t in ('connect', hello, 'mail', 'rcpt', 'data_init', 'data_xfer', 'data_done', 'rset', 'quit', 'starttls'))


MAIN = '''\
transport_maps = texthash:{private}/transport
notify_classes =
relayhost =
lmtp_destination_recipient_limit = 50
smtp_tls_loglevel = 0
default_process_limit = 400
smtpd_recipient_limit = 1000
'''
MASTER = '''\
tls unix - - n - - smtp -o smtp_tls_security_level=encrypt
auth unix - - n - - smtp -o smtp_sasl_auth_enable=yes -o smtp_sasl_password_maps=static:user:password -o smtp_sasl_security_options=
'''


def transports(cases, port, has_backup):
    rows = ['sender.test discard:']
    for case in cases:
        hops = [f'[{case.address}]:{port}'] + ([f'[127.2.0.1]:{port}'] if has_backup else [])
        prefix = 'inet:' if case.protocol == 'lmtp' else ''
        rows.append(f'{case.name}.test {case.transport}:{prefix}' + ','.join(hops))
    return '\n'.join(rows) + '\n'


def hand_in(port, cases):
    with smtplib.SMTP('127.0.0.1', port, local_hostname='client.test', timeout=60) as s:
        for case in cases:
            s.sendmail('a@sender.test', [f'one@{case.name}.test', f'two@{case.name}.test'], 'Subject: x\n\nHello\n')


def wait_for_all(read_log, cases, limit=120):
    wanted = {(case.name, who) for case in cases for who in ('one', 'two')}
    def missing():
        return wanted - set(faulty_far.outcomes(read_log()))
    wait_until(lambda: not missing(), lambda: f'the outcome of {len(missing())} recipients: {sorted(missing())[:8]}', limit)


def make_certificate(folder):
    path = os.path.join(folder, 'far.pem')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=far.test',
                    '-keyout', path + '.key', '-out', path], check=True, stderr=subprocess.DEVNULL)
    with open(path, 'a') as out:
        out.write(open(path + '.key').read())
    return path


def run(system, cases, has_backup, limit=1):
    far = []

    def begin(folder):
        far.append(faulty_far.FaultyFar(cases, make_certificate(folder)))
        with open(os.path.join(folder, 'transport'), 'w') as out:
            out.write(transports(cases, far[0].port, has_backup))
    with system(times(limit) + MAIN, MASTER, {}, begin) as server:
        hand_in(server.port, cases)
        wait_for_all(server.log, cases)
        return faulty_far.outcomes(server.log()), far[0].accepted


def told(cases, found, accepted, has_backup):
    """'case who' → outcome and how often the far sides took the message"""
    result = {}
    for case in cases:
        for who in ('one', 'two'):
            took = sum(1 for _, recipient in accepted if recipient == f'{who}@{case.name}.test')
            result[('backup ' if has_backup else '') + f'{case.name} {who}'] = ' then '.join(found[(case.name, who)]) + f'; taken {took}'
    return result


def all_cases(pattern='*'):
    return [case for case in faulty_far.cases() if fnmatch.fnmatch(case.name, pattern)]


def write_record(outcomes):
    grouped = {}
    for name, outcome in outcomes.items():
        grouped.setdefault(outcome, []).append(name)
    with open(RECORDED, 'w') as out:
        out.write('# Outcomes of Postfix 3.7.11, each with the cases and recipients that have it; written by smtp_faults.py --record.\n')
        for outcome, names in sorted(grouped.items()):
            out.write(f'\n{outcome}\n' + ''.join(f'    {name}\n' for name in names))


def read_record():
    outcomes, outcome = {}, ''
    with open(RECORDED) as f:
        for line in f:
            if line.startswith('    '):
                outcomes[line.strip()] = outcome
            elif not line.startswith('#') and line.strip():
                outcome = line.rstrip('\n')
    return outcomes


def is_right(name, got, recorded):
    own = [outcome for pattern, outcome in OWN if re.fullmatch(pattern, name)]
    return re.fullmatch(own[0], got) is not None if own else got == recorded.get(name)


def compare(pattern):
    recorded, wrong, count = read_record(), [], 0
    for has_backup in (False, True):
        cases = all_cases(pattern)
        # What went wrong because the machine was busy for a second goes right with more time.
        for limit in (1, 3, 6):
            if not cases:
                break
            outcomes = told(cases, *run(reference.ekiden, cases, has_backup, limit), has_backup)
            wrong_now = {name: got for name, got in outcomes.items() if not is_right(name, got, recorded)}
            count += len(outcomes) if limit == 1 else 0
            cases = [case for case in cases if any(('backup ' if has_backup else '') + f'{case.name} {who}' in wrong_now for who in ('one', 'two'))]
        wrong += [f'{name}\n  want {recorded.get(name)}\n  got  {got}' for name, got in wrong_now.items()] if cases else []
    print('\n'.join(wrong))
    print(f'{count} outcomes, {len(wrong)} of them wrong')
    return 1 if wrong or not count else 0


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('--record', action='store_true')
    parser.add_argument('pattern', nargs='?', default='*')
    a = parser.parse_args()
    if not a.record:
        sys.exit(compare(a.pattern))
    reference.fetch()
    in_own_mount_namespace(network=True)
    outcomes = {}
    for has_backup in (False, True):
        cases = all_cases()
        outcomes |= told(cases, *run(reference.postfix, cases, has_backup), has_backup)
    write_record(outcomes)
