"""Each sender's mail goes out under the sender's own login, though connections are used again."""
from instance import Instance, expect
from secure_server import SecureServer

users = {'anna': 'a', 'bert': 'b', 'site': 's'}
far = SecureServer(users=users, mechanisms='PLAIN')
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\nsmtp_sasl_auth_enable = yes\nsmtp_sender_dependent_authentication = yes\n'
                   'smtp_sasl_security_options = noanonymous\nsmtp_sasl_password_maps = inline:{ anna@remote.test=anna:a @bert.test=bert:b 127.0.0.1=site:s }\n'
                   'default_destination_concurrency_limit = 2\ndefer_transports = smtp\n') as mail:
    want = {'anna@remote.test': 'anna', 'x@bert.test': 'bert', 'someone@remote.test': 'site'}
    with mail.smtp() as s:
        for i in range(10):
            for sender in want:
                s.sendmail(sender, ['b@far.test'], f'Subject: {i}\n\nx\n')
    mail.wait_for_entries(lambda q: len(q) == 30 and all(e['queue_name'] == 'deferred' for e in q), '30 deferred messages')
    mail.set('defer_transports =\n')
    mail.run('postfix', 'reload')
    mail.wait_for_log(r'reload -- version')
    mail.run('postqueue', '-f')
    far.wait_for(30)
    mail.wait_for_empty_queue()
    for line, user, *_ in far.messages:
        sender = line.split('<')[1].split('>')[0]
        expect(user, want[sender], f'the login for {sender}')
    if far.connections >= 30:
        raise SystemExit('no connection was used again')
