"""Many messages for one destination at once go over a few connections."""
from instance import FarServer, Instance, expect

far = FarServer()
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\ndefault_destination_concurrency_limit = 2\ndefer_transports = smtp\n') as mail:
    with mail.smtp() as s:
        for i in range(40):
            s.sendmail('a@remote.test', ['b@far.test'], f'Subject: {i}\n\nx\n')
    mail.wait_for_entries(lambda q: len(q) == 40 and all(e['queue_name'] == 'deferred' for e in q), '40 deferred messages')
    mail.set('defer_transports =\n')
    mail.run('postfix', 'reload')
    mail.wait_for_log(r'reload -- version')
    mail.run('postqueue', '-f')
    expect(len(far.wait_for(40)), 40, 'messages')
    mail.wait_for_empty_queue()
    if far.connections > 10:
        raise SystemExit(f'{far.connections} connections for 40 messages')
