"""Mail for a transport in defer_transports waits until somebody asks for it: by id, by site, or for all."""
from instance import FarServer, Instance, expect, wait_until

far = FarServer()
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\ndefer_transports = smtp\n') as mail:
    for domain in ('one', 'two', 'three'):
        mail.send(to=[f'x@{domain}.test'])
    mail.wait_for_log(r'status=deferred \(deferred transport\)', count=3)
    expect(far.messages, [], 'messages that left')
    one = next(e['queue_id'] for e in mail.wait_for_entries(lambda found: len(found) == 3 and all(e['queue_name'] == 'deferred' for e in found), 'three deferred messages')
               if e['recipients'][0]['address'] == 'x@one.test')
    mail.run('postqueue', '-i', one)
    wait_until(lambda: len(far.messages) == 1, 'the message that was asked for')
    mail.run('postqueue', '-f')
    wait_until(lambda: len(far.messages) == 3, 'all messages')
    mail.wait_for_empty_queue()
    # The next one waits again.
    mail.send(to=['x@four.test'])
    mail.wait_for_log(r'to=<x@four\.test>.*status=deferred \(deferred transport\)')
