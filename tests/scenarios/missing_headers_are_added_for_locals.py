"""Headers are completed for clients in local_header_rewrite_clients, and for others as remote_header_rewrite_domain and
always_add_missing_headers say, on each service by its own settings."""
from instance import Dialogue, Instance, expect, expect_match, free_port

LINES = {        # service → (settings of smtpd, settings of its cleanup, header From as it arrives, are missing headers added?)
    'plain': ('', '', 'bob', False),
    'networks': ('-o local_header_rewrite_clients=permit_mynetworks', '', 'bob@mail.example.test', True),
    'strangers': ('-o local_header_rewrite_clients=permit_inet_interfaces,permit_tls_all_clientcerts', '', 'bob', False),
    'everybody': ('-o local_header_rewrite_clients=static:all', '', 'bob@mail.example.test', True),
    'by_map': ('-o { local_header_rewrite_clients = check_address_map inline:{ 127.0.0.9=x } }', '', 'bob@mail.example.test', True),
    'other_map': ('-o { local_header_rewrite_clients = check_address_map inline:{ 127.0.0.8=x } }', '', 'bob', False),
    'always': ('', '-o always_add_missing_headers=yes', 'bob', True),
}
ports = {name: free_port() for name in LINES}
MASTER = ''.join(f'127.0.0.1:{ports[name]} inet n - n - - smtpd -o cleanup_service_name=c_{name} {server}\nc_{name} unix n - n - 0 cleanup {cleanup}\n'
                 for name, (server, cleanup, _, _) in LINES.items())



def check(mail, port, name, sender, are_added):
    with Dialogue(port, source='127.0.0.9') as d:
        d.say('EHLO client.test')
        d.say('MAIL FROM:<a@remote.test>')
        d.say('RCPT TO:<alice@example.test>')
        d.say('DATA')
        expect_match('^250 ', d.say(f'From: bob\r\nSubject: {name}\r\n\r\nHello\r\n.'), name)
    mail.wait_for_empty_queue()
    text = next(t for t in mail.wait_for_mail('alice') if f'\nSubject: {name}\n' in t)
    expect_match(rf'^From: {sender}$', text, f'the sender, {name}')
    for header in ('Message-Id', 'Date'):
        expect(f'\n{header}: ' in text, are_added, f'{header}, {name}')


with Instance(main='mynetworks = 127.0.0.9/32\n', master=MASTER) as mail:
    for name, (_, _, sender, are_added) in LINES.items():
        check(mail, ports[name], name, sender, are_added)
with Instance(main='remote_header_rewrite_domain = domain.invalid\n') as mail:
    check(mail, mail.port, 'remote', 'bob@domain.invalid', True)
