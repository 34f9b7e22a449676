"""Of four recipients one is refused for good, one for now: two get the message, one bounces, one waits and gets it later, alone."""
from instance import FarServer, Instance, expect, expect_match

far = FarServer(answers={'RCPT TO:<no@': '550 5.1.1 no such user', 'RCPT TO:<later@': '450 4.2.1 busy'})
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
    mail.send('alice@example.test', ['one@far.test', 'no@far.test', 'two@far.test', 'later@far.test'])
    expect(sorted(r.split(':')[1].split('@')[0] for r in far.wait_for()[0][1]), ['<one', '<two'], 'recipients')
    bounce, = mail.wait_for_mail('alice')
    expect_match(r'^<no@far\.test>: host .* said:\s+550\s+5\.1\.1', bounce, 'the bounce')
    expect('later@' in bounce, False, 'the bounce names who still waits')
    entry, = mail.wait_for_entries(lambda q: len(q) == 1 and q[0]['queue_name'] == 'deferred', 'one deferred message')
    expect([r['address'] for r in entry['recipients']], ['later@far.test'], 'who waits')
    far.answers.clear()
    mail.run('postqueue', '-f')
    expect([r.split('>')[0] for r in far.wait_for(2)[1][1]], ['RCPT TO:<later@far.test'], 'the second delivery')
    mail.wait_for_empty_queue()
