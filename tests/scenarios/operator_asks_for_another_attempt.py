"""postqueue -i tries one message now, postqueue -f all of them, postqueue -s those for a site; nobody else is tried."""
from instance import FarServer, Instance, expect

far = FarServer(answers={'RCPT': '450 4.2.1 busy'})
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\nrelay_domains = far0.test, far1.test, far2.test\nfast_flush_domains = $relay_domains\n') as mail:
    for i in range(3):
        mail.send('a@remote.test', [f'b@far{i}.test'])
    entries = mail.wait_for_entries(lambda q: len(q) == 3 and all(e['queue_name'] == 'deferred' for e in q), 'three deferred messages')
    ids = {e['recipients'][0]['address']: e['queue_id'] for e in entries}
    far.answers.clear()
    mail.run('postqueue', '-i', ids['b@far1.test'])
    expect(far.wait_for()[0][1], ['RCPT TO:<b@far1.test>'], 'who was tried')
    mail.wait_for_log(ids['b@far1.test'] + ': removed')
    mail.run('postqueue', '-s', 'far2.test')
    expect(far.wait_for(2)[1][1], ['RCPT TO:<b@far2.test>'], 'who was tried')
    mail.wait_for_log(ids['b@far2.test'] + ': removed')
    expect([e['queue_id'] for e in mail.entries()], [ids['b@far0.test']], 'who waits')
    mail.run('postqueue', '-f')
    far.wait_for(3)
    mail.wait_for_empty_queue()
