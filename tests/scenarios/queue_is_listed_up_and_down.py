"""postqueue -p, postqueue -j and mailq say the same of a running and of a stopped system; postcat shows the message."""
import re
from instance import FarServer, Instance, expect, expect_match

far = FarServer(answers={'RCPT': '450 4.2.1 busy'})
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
    expect(mail.queue(), 'Mail queue is empty\n', 'the listing of an empty queue')
    mail.send('a@remote.test', ['b@far.test', 'c@far.test'], 'Subject: shown\n\nthe body\n')
    entry, = mail.wait_for_entries(lambda q: len(q) == 1 and q[0]['queue_name'] == 'deferred', 'one deferred message')
    running = mail.queue()
    expect_match(rf'\A-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n{entry["queue_id"]}  +\d+ \w\w\w \w\w\w +\d+ \d\d:\d\d:\d\d  a@remote\.test\n'
                 r' *\(host 127\.0\.0\.1\[127\.0\.0\.1\] said: 450 4\.2\.1 busy \(in reply to RCPT TO command\)\)\n +b@far\.test\n +c@far\.test\n\n-- \d+ Kbytes in 1 Request\.\n\Z', running, 'the listing')
    expect((entry['sender'], sorted(r['address'] for r in entry['recipients'])), ('a@remote.test', ['b@far.test', 'c@far.test']), 'the entry')
    expect(mail.run('sendmail', '-bp').stdout, running, 'sendmail -bp')
    expect_match(r'^Subject: shown$.*^the body$', mail.run('postcat', '-q', entry['queue_id']).stdout, 'postcat')
    mail.stop()
    expect(mail.queue(), running, 'the listing of the stopped system')
    expect(mail.entries(), [entry], 'the entry of the stopped system')
    expect_match(r'^Subject: shown$.*^the body$', mail.run('postcat', '-q', entry['queue_id']).stdout, 'postcat')
