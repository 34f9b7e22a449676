"""ekiden explain says what the running server says: the same replies, for the same client, helo, login, sender and recipient."""
import base64, json, re, subprocess
from instance import Dialogue, Instance, expect, free_port, tool, Failed

PORTS = {name: free_port() for name in ('helo', 'tables', 'early', 'lists', 'login', 'soft', 'classes', 'plain')}
MASTER = '\n'.join(f'127.0.0.1:{PORTS[name]} inet n - n - - smtpd' + ''.join(f'\n  -o {{ {entry} }}' for entry in entries) for name, entries in {
    'helo': ['smtpd_helo_required = yes', 'smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname',
             'smtpd_sender_restrictions = reject_non_fqdn_sender, reject_unknown_sender_domain', 'smtpd_recipient_restrictions = reject_non_fqdn_recipient'],
    'tables': ['smtpd_client_restrictions = check_client_access cidr:{config}/clients', 'smtpd_sender_restrictions = check_sender_access texthash:{config}/senders',
               'smtpd_recipient_restrictions = check_recipient_access texthash:{config}/recipients'],
    'early': ['smtpd_delay_reject = no', 'smtpd_client_restrictions = permit_mynetworks, reject'],
    'lists': ['smtpd_recipient_restrictions = permit_mynetworks, reject_rbl_client bl.example.test, warn_if_reject reject_unverified_sender_is_not_here'
              .replace('reject_unverified_sender_is_not_here', 'reject_unknown_reverse_client_hostname')],
    'login': ['smtpd_sasl_auth_enable = yes', 'smtpd_sasl_type = ekiden', 'smtpd_sasl_security_options = noanonymous',
              'smtpd_sender_login_maps = inline:{{ alice@example.test=alice@example.test }}', 'smtpd_sender_restrictions = reject_sender_login_mismatch',
              'smtpd_relay_restrictions = permit_sasl_authenticated, reject'],
    'soft': ['soft_bounce = yes'],
    'classes': ['smtpd_restriction_classes = strict, mild', 'strict = reject_unauth_destination, check_sender_access texthash:{config}/senders, reject', 'mild = permit',
                'smtpd_recipient_restrictions = check_recipient_access texthash:{config}/by_class'],
    'plain': ['smtpd_relay_restrictions = permit_mynetworks, defer_unauth_destination'],
}.items()) + '\n'
FILES = {
    'clients': '127.0.0.3/32 REJECT go away\n127.0.0.4/32 450 4.7.1 not now\n127.0.0.5/32 521 5.7.1 never\n',
    'senders': 'bad.test REJECT\nodd@remote.test 550 5.7.1 odd sender\nlater@remote.test DEFER_IF_PERMIT later\nhold@remote.test HOLD\n<> REJECT no bounces\n',
    'recipients': 'bob@example.test REJECT not bob\ncarol@example.test DUNNO\n',
    'by_class': 'alice@example.test strict\nbob@example.test mild\n',
}
ZONE = {('remote.test', 'MX'): [(10, 'mx.remote.test')], ('mx.remote.test', 'A'): ['127.0.0.25'], ('9.0.0.127.bl.example.test', 'A'): ['127.0.0.2'],
        ('9.0.0.127.bl.example.test', 'TXT'): ['listed for a reason'], ('2.0.0.127.in-addr.arpa', 'PTR'): ['client2.remote.test'], ('client2.remote.test', 'A'): ['127.0.0.2']}

# service, client, helo, sender, recipient, login
QUESTIONS = [
    ('', '127.0.0.1', 'client.test', 'a@remote.test', 'alice@example.test', ''),
    ('', '127.0.0.2', 'client.test', 'a@remote.test', 'x@far.test', ''),
    ('', '127.0.0.1', 'client.test', 'a@remote.test', 'x@far.test', ''),
    ('', '127.0.0.2', 'client.test', 'a@remote.test', 'nobody@example.test', ''),
    ('', '127.0.0.2', 'client.test', 'a@remote.test', 'x%far.test@mail.example.test', ''),
    ('', '127.0.0.2', 'client.test', 'a@remote.test', 'team@example.test', ''),
    ('', '127.0.0.2', 'client.test', 'a@-bad-.test', 'alice@example.test', ''),
    ('', '127.0.0.2', 'client.test', '', 'alice@example.test', ''),
    ('helo', '127.0.0.2', '[127.0.0.2', 'a@remote.test', 'alice@example.test', ''),
    ('helo', '127.0.0.2', 'short', 'a@remote.test', 'alice@example.test', ''),
    ('helo', '127.0.0.2', 'client.test', 'a', 'alice@example.test', ''),
    ('helo', '127.0.0.2', 'client.test', 'a@no-such.test', 'alice@example.test', ''),
    ('helo', '127.0.0.2', 'client.test', 'a@remote.test', 'alice', ''),
    ('helo', '127.0.0.2', 'client.test', 'a@remote.test', 'alice@example.test', ''),
    ('tables', '127.0.0.3', 'client.test', 'a@remote.test', 'alice@example.test', ''),
    ('tables', '127.0.0.4', 'client.test', 'a@remote.test', 'alice@example.test', ''),
    ('tables', '127.0.0.5', 'client.test', 'a@remote.test', 'alice@example.test', ''),
    ('tables', '127.0.0.2', 'client.test', 'x@sub.bad.test', 'alice@example.test', ''),
    ('tables', '127.0.0.2', 'client.test', 'odd@remote.test', 'alice@example.test', ''),
    ('tables', '127.0.0.2', 'client.test', 'later@remote.test', 'alice@example.test', ''),
    ('tables', '127.0.0.2', 'client.test', 'hold@remote.test', 'alice@example.test', ''),
    ('tables', '127.0.0.2', 'client.test', '', 'alice@example.test', ''),
    ('tables', '127.0.0.2', 'client.test', 'a@remote.test', 'bob@example.test', ''),
    ('tables', '127.0.0.2', 'client.test', 'a@remote.test', 'carol+x@example.test', ''),
    ('early', '127.0.0.2', 'client.test', 'a@remote.test', 'alice@example.test', ''),
    ('early', '127.0.0.1', 'client.test', 'a@remote.test', 'alice@example.test', ''),
    ('lists', '127.0.0.9', 'client.test', 'a@remote.test', 'alice@example.test', ''),
    ('lists', '127.0.0.2', 'client.test', 'a@remote.test', 'alice@example.test', ''),
    ('login', '127.0.0.2', 'client.test', 'alice@example.test', 'x@far.test', 'alice@example.test'),
    ('login', '127.0.0.2', 'client.test', 'alice@example.test', 'x@far.test', ''),
    ('login', '127.0.0.2', 'client.test', 'bob@example.test', 'x@far.test', 'alice@example.test'),
    ('soft', '127.0.0.2', 'client.test', 'a@remote.test', 'nobody@example.test', ''),
    ('classes', '127.0.0.2', 'client.test', 'x@bad.test', 'alice@example.test', ''),
    ('classes', '127.0.0.2', 'client.test', 'a@remote.test', 'alice@example.test', ''),
    ('classes', '127.0.0.2', 'client.test', 'a@remote.test', 'bob@example.test', ''),
    ('plain', '127.0.0.2', 'client.test', 'a@remote.test', 'x@far.test', ''),
]


def ask_server(mail, service, client, helo, sender, recipient, login):
    """the last line of each reply, up to the first refusal"""
    replies = []
    with Dialogue(PORTS.get(service) or mail.port, source=client) as d:
        replies.append(d.greeting.splitlines()[-1])
        commands = [f'EHLO {helo}']
        if login:
            commands.append('AUTH PLAIN ' + base64.b64encode(f'\0{login}\0secret'.encode()).decode())
        commands += [f'MAIL FROM:<{sender}>', f'RCPT TO:<{recipient}>']
        for command in commands:
            if replies[-1][0] not in '23':
                break
            reply = d.say(command).splitlines()[-1]
            if command.startswith('AUTH'):
                expect(reply[:3], '235', 'the login')
                continue
            replies.append(reply)
    return replies


def ask_explain(mail, service, client, helo, sender, recipient, login):
    words = ['--from', sender, '--to', recipient, '--client', client, '--helo', helo, '--json', '-c', mail.config]
    words += ['--service', f'127.0.0.1:{PORTS.get(service) or mail.port}']
    if login:
        words += ['--sasl-user', login]
    p = subprocess.run([tool('ekiden'), 'explain', *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    if p.returncode not in (0, 1, 75):
        raise Failed(f'explain {words}: exit {p.returncode}\n{p.stdout}{p.stderr}')
    return p.returncode, json.loads(p.stdout)


with Instance(main='virtual_alias_maps = inline:{ team@example.test=alice@example.test }\nrecipient_delimiter = +\nsmtpd_reject_unlisted_recipient = yes\n', files=FILES,
              zone=ZONE, start=False) as mail:
    with open(f'{mail.config}/master.cf', 'a') as f:
        f.write(MASTER.replace('{config}', mail.config).replace('{{', '{').replace('}}', '}'))
    subprocess.run([tool('ekiden'), 'passwd', '-c', mail.config, '-p', 'alice@example.test'], input='secret\n', text=True, check=True, stderr=subprocess.DEVNULL)
    mail.start()
    for question in QUESTIONS:
        said = ask_server(mail, *question)
        status, explained = ask_explain(mail, *question)
        steps = [step['reply'] for step in explained['steps']]
        expect(steps[:len(said)], said, f'{question}: replies')
        is_refused = said[-1][0] in '45'
        expect(len(steps) > len(said), not is_refused, f'{question}: whether it goes on to DATA')
        if is_refused:
            expect(status, 1 if said[-1][0] == '5' else 75, f'{question}: exit status')
            expect(explained['verdict']['text'], said[-1], f'{question}: the verdict')
            expect(explained['queued'], False, f'{question}: nothing is queued')
        else:
            expect(steps[-1][:3], '250', f'{question}: the end')
