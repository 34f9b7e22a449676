"""`postfix check` names the very line of each mistake and what to write instead; hints do not make it fail, faults do; for
programs each finding is a JSON object."""
import json
import os

from certificates import Certificates
from instance import Instance, expect, expect_match


def findings(mail, **more):
    output = mail.run('postfix', 'check', '--json', **more).stdout
    return [entry for entry in map(json.loads, output.splitlines()) if entry['severity'] != 'proof']


# Nothing to say of a configuration without mistakes.
with Instance(start=False) as mail:
    checked = mail.run('postfix', 'check')
    expect((checked.stdout, checked.stderr), ('', ''), 'what is said of a good configuration')
    expect(findings(mail), [], 'findings in a good configuration')

MISTAKES = [
    ('mydestinatoin = a.test', 'mydestinatoin', 'is mydestination meant?'),
    ('relayhost = [mail.test]  # ours', '# ours', 'a comment must have a line of its own'),
    ('mynetworks = 127.0.0.0/8,\n  \u300010.0.0.0/8', 'full-width space', 'replace it by an ordinary space'),
    ('smtpd_client_restrictions = permit_mynetworks,\n  permit,\n  reject_unknown_client_hostname', 'reject_unknown_client_hostname is never reached', 'move it in front of "permit", or remove it'),
    ('transport_maps = hash:{config}/transport', 'there is no {config}/transport.db', 'write {config}/transport, then postmap hash:{config}/transport'),
    ('smtpd_client_restrictions = reject_rbl_client dnsbl.sorbs.net', 'it ended in June 2024', 'remove it'),
    ('virtual_transport = lmtq:unix:private/x', 'master.cf has no service "lmtq"', 'is lmtp meant?'),
]
for lines, text, advice in MISTAKES:
    with Instance(start=False) as mail:
        place = lambda words: words.replace('{config}', mail.config)
        mail.set(place(lines) + '\n')
        written = open(f'{mail.config}/main.cf').read().split('\n')
        line = written.index(place(lines).split('\n')[-1]) + 1
        found = findings(mail)
        expect([(entry['severity'], entry['file'], entry['line'], entry['advice']) for entry in found], [('warning', f'{mail.config}/main.cf', line, place(advice))], f'findings in "{lines}"')
        expect_match(r'.*' + place(text).replace('.', r'\.'), found[0]['text'], f'the text about "{lines}"')
        shown = mail.run('postfix', 'check')
        expect(shown.stderr.count('\n'), 1, f'lines about "{lines}"')
        expect_match(rf'main\.cf, line {line}: .*{place(text)}', shown.stderr, f'what the terminal is told of "{lines}"')

# A fault: the exit status is 1, here too with the character that is to blame.
with Instance(start=False, main='message_size_limit = \uff11\uff10\uff10\n') as mail:
    refused = mail.run('postfix', 'check', '--json', check=False)
    expect(refused.returncode, 1, 'the exit status of a fault')
    entries = [json.loads(line) for line in refused.stdout.splitlines()]
    expect([entry['severity'] for entry in entries if 'bad numerical configuration' in entry['text']], ['fatal'], 'the fault')
    expect_match('full-width "1"', ' '.join(entry['text'] for entry in entries), 'the characters')
    expect('main.cf, line' in mail.run('postfix', 'check', check=False).stderr.split('bad numerical configuration')[1], False, "Postfix's words alone")
    expect_match(r'^postfix: see \S+/main\.cf, line \d+: write a whole number$', mail.run('postfix', 'check', '-v', check=False).stderr, 'the place of the fault, with -v')

# What two rooms find is said once: a port that speaks nothing but TLS and has no certificate is a fault.
with Instance(start=False, master='127.0.0.1:1    inet  n       -       n       -       -       smtpd\n  -o smtpd_tls_wrappermode=yes\n') as mail:
    refused = mail.run('postfix', 'check', check=False)
    expect(refused.returncode, 1, 'the exit status without a certificate')
    expect(len([line for line in refused.stderr.splitlines() if 'master.cf' in line]), 1, 'how often it is said:\n' + refused.stderr)
    expect_match('fatal: .*no server certificate is configured', refused.stderr, 'the fault')

# Certificates whose end is near are named, and keys that everybody can read. (Those of the tests last two days.)
with Instance(start=False) as mail:
    made = Certificates(mail.folder)
    made.make('short')
    os.chmod(made.path('short.key'), 0o644)
    mail.set(f'smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {made.path("short.pem")}\nsmtpd_tls_key_file = {made.path("short.key")}\n')
    advice = sorted(entry['advice'] for entry in findings(mail))
    expect(advice, [f'chmod o-r {made.path("short.key")}', 'renew it'], 'the advice about the files')
