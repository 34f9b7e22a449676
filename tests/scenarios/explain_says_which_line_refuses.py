"""ekiden explain names the restriction, the table's entry and the line of main.cf or master.cf that refuses; its exit status is scriptable."""
import json, subprocess
from instance import Instance, expect, expect_match, free_port, tool

port = free_port()
MAIN = '''smtpd_restriction_classes = strict
strict =
    reject_unauth_destination,
# a comment in between
    check_sender_access texthash:${config_directory}/senders
smtpd_relay_restrictions =
    permit_mynetworks,
    reject_unauth_destination
smtpd_recipient_restrictions =
    check_recipient_access texthash:${config_directory}/recipients,
    check_policy_service inet:127.0.0.1:1
'''
MASTER = f'''127.0.0.1:{port} inet n - n - - smtpd
  -o syslog_name=postfix/inside
  -o smtpd_client_restrictions=permit_mynetworks,reject
'''


def explain(mail, *words, want=None):
    p = subprocess.run([tool('ekiden'), 'explain', '-c', mail.config, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    if want is not None:
        expect(p.returncode, want, f'exit status of explain {words}; it said:\n{p.stdout}{p.stderr}')
    return p.stdout + p.stderr


def line_of(path, text):
    return 1 + next(i for i, line in enumerate(open(path)) if text in line)


with Instance(main=MAIN, master=MASTER, files={'senders': 'bad.test REJECT we do not know you\n', 'recipients': 'bob@example.test strict\n'}, start=False) as mail:
    main, master = f'{mail.config}/main.cf', f'{mail.config}/master.cf'
    # The last line that names it: the class has one of its own further up.
    relay = [i for i, line in enumerate(open(main), 1) if 'reject_unauth_destination' in line][-1]
    text = explain(mail, '--from', 'a@remote.test', '--to', 'x@far.test', '--client', '127.0.0.2', want=1)
    expect_match(rf'\A554 5\.7\.1 <x@far\.test>: Relay access denied\n  by reject_unauth_destination in smtpd_relay_restrictions, main\.cf line {relay}\n', text, 'the verdict')
    expect_match(r'^relaying +no: only to our own domains  \(reject_unauth_destination, main\.cf line ' + str(relay), text, 'relaying')
    expect_match(rf'^  smtpd_relay_restrictions +\(main\.cf line {line_of(main, "smtpd_relay_restrictions")}\)\n    permit_mynetworks +-\n    reject_unauth_destination +REJECT  \(main\.cf line {relay}\)',
                 text, 'the list')

    # A table that names a class, whose own list asks another table.
    text = explain(mail, '--from', 'x@bad.test', '--to', 'bob@example.test', '--client', '127.0.0.2', want=1)
    expect_match(r'\A554 5\.7\.1 <x@bad\.test>: Sender address rejected: we do not know you\n', text, 'the verdict of the class')
    expect_match(r'  by check_sender_access texthash:\S+/senders \(key bad\.test: REJECT we do not know you\) in strict, main\.cf line '
                 + str(line_of(main, 'senders')), text, 'the entry')
    expect_match(r'check_recipient_access texthash:\S+/recipients: bob@example\.test -> strict', text, 'the entry that names the class')

    # What a service line sets by -o.
    text = explain(mail, '--from', 'a@remote.test', '--to', 'alice@example.test', '--client', '127.0.0.2', '--service', f'127.0.0.1:{port}', want=1)
    expect_match(rf'  by reject in smtpd_client_restrictions, master\.cf line {line_of(master, "smtpd_client_restrictions")} \(-o\)\n', text, 'the line of master.cf')

    # A policy server that is not asked is named, and nothing waits for it.
    text = explain(mail, '--from', 'a@remote.test', '--to', 'alice@example.test', '--client', '127.0.0.2', want=0)
    expect_match(r'check_policy_service inet:127\.0\.0\.1:1 +not asked', text, 'the policy service')
    expect_match(r'\A250: delivered to Maildir \S+/alice/\n', text, 'the good end')
    # With --ask-policy it is, and does not answer.
    text = explain(mail, '--from', 'a@remote.test', '--to', 'alice@example.test', '--client', '127.0.0.2', '--ask-policy', want=75)
    expect_match(r'\A451 4\.3\.5 .*\n  by check_policy_service inet:127\.0\.0\.1:1 in smtpd_recipient_restrictions', text, 'a dead policy server')

    # One document for programs; the last word for the shell.
    document = json.loads(explain(mail, '--from', 'a@remote.test', '--to', 'x@far.test', '--client', '127.0.0.2', '--json', want=1))
    lists = [event for step in document['steps'] for event in step['events'] if event['what'] == 'list']
    refused = next(event for event in lists if event.get('answer') == 'reject')
    expect((refused['name'], refused['events'][-1]['name'], refused['events'][-1]['at']['line']), ('smtpd_relay_restrictions', 'reject_unauth_destination', relay), 'the refusal in JSON')
    expect(document['relaying']['allowed'], False, 'relaying in JSON')
    expect_match('--from and --to are needed', explain(mail, '--from', 'a@remote.test', want=64), 'wrong usage')
    expect_match('has no smtpd service "nosuch"', explain(mail, '--from', 'a', '--to', 'b', '--service', 'nosuch', want=78), 'a service that is not there')
    mail.set('smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit\n')
    expect_match('in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions', explain(mail, '--from', 'a', '--to', 'b', want=78), 'an open relay')
    expect_match(r'^  explain +what would happen', subprocess.run([tool('ekiden'), 'help'], stdout=subprocess.PIPE, text=True, check=True).stdout, 'ekiden help')
