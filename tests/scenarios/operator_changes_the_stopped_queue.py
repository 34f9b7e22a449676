"""postsuper on a stopped system does the same, and the next start respects it."""
from instance import FarServer, Instance, expect, expect_match

far = FarServer(answers={'RCPT': '450 4.2.1 busy'})
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
    for i in range(4):
        mail.send('a@remote.test', [f'b{i}@far.test'])
    entries = mail.wait_for_entries(lambda q: len(q) == 4 and all(e['queue_name'] == 'deferred' for e in q), 'four deferred messages')
    ids = {e['recipients'][0]['address'][1]: e['queue_id'] for e in entries}
    mail.stop()
    expect_match(r'Placed on hold: 1 message$', mail.run('postsuper', '-h', ids['0']).stderr, 'hold')
    expect_match(r'Deleted: 1 message$', mail.run('postsuper', '-d', ids['1']).stderr, 'delete')
    expect_match(r'Requeued: 1 message$', mail.run('postsuper', '-r', ids['2']).stderr, 'requeue')
    expect({e['queue_id']: e['queue_name'] for e in mail.entries()}.get(ids['0']), 'hold', 'the state of the held message, system down')
    far.answers.clear()
    mail.start()
    mail.run('postqueue', '-f')
    expect(sorted(m[1][0] for m in far.wait_for(2)), ['RCPT TO:<b2@far.test>', 'RCPT TO:<b3@far.test>'], 'who was delivered')
    mail.wait_for_entries(lambda q: [(e['queue_id'], e['queue_name']) for e in q] == [(ids['0'], 'hold')], 'the held one alone')
    mail.stop()
    mail.run('postsuper', '-H', ids['0'])
    mail.start()
    mail.run('postqueue', '-f')
    far.wait_for(3)
    mail.wait_for_empty_queue()
