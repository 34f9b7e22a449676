"""postsuper on a running system: hold stops attempts, release resumes them, requeue sends anew, delete removes."""
import re
from instance import FarServer, Instance, expect, expect_match

far = FarServer(answers={'RCPT': '450 4.2.1 busy'})
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
    for i in range(4):
        mail.send('a@remote.test', [f'b{i}@far.test'])
    entries = mail.wait_for_entries(lambda q: len(q) == 4 and all(e['queue_name'] == 'deferred' for e in q), 'four deferred messages')
    ids = {e['recipients'][0]['address'][1]: e['queue_id'] for e in entries}

    expect_match(r'^postsuper: Placed on hold: 1 message$', mail.run('postsuper', '-h', ids['0']).stderr, 'hold')
    expect_match(rf'^{ids["0"]}! ', mail.queue(), 'the mark of a held message')
    expect_match(r'^postsuper: Deleted: 1 message$', mail.run('postsuper', '-d', ids['1']).stderr, 'delete')
    far.answers.clear()
    expect_match(r'^postsuper: Requeued: 1 message$', mail.run('postsuper', '-r', ids['2']).stderr, 'requeue')
    mail.run('postqueue', '-f')
    expect(sorted(m[1][0] for m in far.wait_for(2)), ['RCPT TO:<b2@far.test>', 'RCPT TO:<b3@far.test>'], 'who was delivered')
    mail.wait_for_entries(lambda q: [e['queue_name'] for e in q] == ['hold'], 'the held one alone')
    expect_match(r'^postsuper: Released from hold: 1 message$', mail.run('postsuper', '-H', ids['0']).stderr, 'release')
    mail.run('postqueue', '-f')
    expect(far.wait_for(3)[2][1], ['RCPT TO:<b0@far.test>'], 'the released message')
    mail.wait_for_empty_queue()
    for text in (f'{ids["0"]}: placed on hold', f'{ids["0"]}: released from hold', f'{ids["1"]}: removed', 'Deleted: 1 message'):
        expect_match(r'postfix/postsuper\[\d+\]: ' + re.escape(text), mail.log(), 'the log')
