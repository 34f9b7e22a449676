"""ekiden queue finds messages by sender, recipient, reason, age, size, client and destination, says what it would do, does it, and tells what was gone
already; with a running system and with a stopped one."""
import json, subprocess
from instance import FarServer, Instance, expect, expect_match, tool

far = FarServer(answers={'RCPT TO:<full@': '452 4.2.2 mailbox full', 'RCPT': '450 4.2.1 busy'})
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\nmessage_size_limit = 1000000\ntransport_maps = inline:{{ other.test=relay:[127.0.0.1]:{far.port} }}\n') as mail:
    def queue(*words, want=0):
        p = subprocess.run([tool('ekiden'), 'queue', *words, '-c', mail.config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        expect(p.returncode, want, f'exit status of ekiden queue {words}; it said:\n{p.stdout}{p.stderr}')
        return p

    def found(*words):
        """local parts of the first recipients"""
        return sorted(json.loads(line)['recipients'][0]['address'].split('@')[0] for line in queue('list', *words, '--json').stdout.splitlines())

    mail.send('a@remote.test', ['one@far.test'])
    mail.send('b@remote.test', ['two@far.test'], 'Subject: large\n\n' + 'x' * 70 * 100 + '\n')
    mail.send('b@elsewhere.test', ['three@other.test', 'more@far.test'])
    mail.send('', ['full@far.test'])
    entries = mail.wait_for_entries(lambda q: len(q) == 4 and all(e['queue_name'] == 'deferred' and 'delay_reason' in e['recipients'][0] for e in q), 'four deferred messages')
    ids = {e['recipients'][0]['address'].split('@')[0]: e['queue_id'] for e in entries}
    expect(len(ids), 4, 'the messages')

    for words, want in ((('--sender', '*@REMOTE.test'), ['one', 'two']), (('--sender', '<>'), ['full']), (('--recipient', 'more@*'), ['three']),
                        (('--domain', 'other.test'), ['three']), (('--reason', 'mailbox FULL'), ['full']), (('--size', '+5k'), ['two']), (('--size', '-5k'), ['full', 'one', 'three']),
                        (('--older', '1h'), []), (('--younger', '1h'), ['full', 'one', 'three', 'two']), (('--client', '127.0.0.0/8'), ['full', 'one', 'three', 'two']),
                        (('--client', '192.0.2.1'), []), (('--destination', 'relay'), ['three']), (('--destination', f'[[]127.0.0.1]:{far.port}'), ['full', 'one', 'three', 'two']),
                        (('--destination', 'nosuch'), []), (('--queue', 'hold'), []), ((ids['one'], ids['full']), ['full', 'one']),
                        (('--sender', 'b@*', '--size', '+5k'), ['two']), (('--sort', 'size', '--limit', '1'), ['two'])):
        expect(found(*words), want, f'list {words}')
    expect_match(rf'^{ids["one"]} +deferred +\d+s +\d+  a@remote\.test -> one@far\.test: host 127\.0\.0\.1\S* said: 450 4\.2\.1 busy', queue('list').stdout, 'a line of the list')
    expect([line.split()[0] for line in queue('list', '--sort=-age').stdout.splitlines()][0], entries[-1]['queue_id'], 'the youngest first')

    # What would be done, and nothing done.
    p = queue('delete', '--sender', 'b@*', '--dry-run')
    expect_match(r'^ekiden queue: would be deleted: 2 messages$', p.stderr, 'the dry run')
    expect(sorted(line.split()[0] for line in p.stdout.splitlines()), sorted([ids['two'], ids['three']]), 'what it shows')
    expect(len(mail.entries()), 4, 'messages after a dry run')
    expect_match('--all deletes every message', queue('delete', want=64).stderr, 'delete without a filter')
    expect(len(mail.entries()), 4, 'messages after the refusal')

    expect_match(r'put on hold: 2 messages', queue('hold', '--sender', '*@remote.test').stderr, 'hold')
    expect(found('--queue', 'hold'), ['one', 'two'], 'held messages')
    expect_match(r'released: 1 message$', queue('release', '--recipient', 'one@*').stderr, 'release')
    p = queue('delete', ids['two'], ids['full'], '--json')
    expect(sorted((o['queue_id'], o['result']) for o in map(json.loads, p.stdout.splitlines())), sorted([(ids['two'], 'delete'), (ids['full'], 'delete')]), 'one object a message')
    expect(found(), ['one', 'three'], 'what is left')
    # Flush: those that were asked for, and not the others.
    heard = len(far.commands)
    far.answers.clear()
    expect_match(r'asked to be tried now: 1 message$', queue('flush', '--domain', 'other.test').stderr, 'flush')
    far.wait_for(1)
    expect(any('one@far.test' in line for line in far.commands[heard:]), False, 'the other one was left alone')
    mail.wait_for_entries(lambda q: [e['recipients'][0]['address'] for e in q] == ['one@far.test'], 'the other one alone')
    expect_match(r'requeued: 1 message$', queue('requeue', '--recipient', 'one@*').stderr, 'requeue')
    mail.wait_for_empty_queue()

    # The stopped system: read from its files, changed under the lock.
    far.answers['RCPT'] = '450 4.2.1 busy'
    for i in range(3):
        mail.send('c@remote.test', [f'down{i}@far.test'])
    mail.wait_for_entries(lambda q: len(q) == 3 and all(e['queue_name'] == 'deferred' for e in q), 'three deferred messages')
    mail.stop()
    expect(found('--recipient', 'down1@*'), ['down1'], 'list without a server')
    expect_match(r'deleted: 1 message$', queue('delete', '--recipient', 'down1@*').stderr, 'delete without a server')
    expect_match(r'put on hold: 1 message$', queue('hold', '--recipient', 'down2@*').stderr, 'hold without a server')
    expect_match(r'the mail system is down', queue('flush', '--recipient', 'down2@*', want=69).stderr, 'flush without a server')
    mail.start()
    expect(sorted((e['recipients'][0]['address'], e['queue_name']) for e in mail.entries() if 'down0' not in e['recipients'][0]['address']), [('down2@far.test', 'hold')], 'after the start')
    expect_match(r'deleted: 2 messages$', queue('delete', '--all').stderr, 'delete --all')
    mail.wait_for_empty_queue()
    # Ids of messages that are gone: no error.
    expect_match(r'deleted: 0 messages$', queue('delete', ids['two']).stderr, 'a message that is gone')
