"""A 5xx at MAIL, RCPT, DATA or after the dot returns the message with what the far side said."""
from instance import FarServer, Instance, expect, expect_match

STEPS = {'MAIL': 'MAIL FROM', 'RCPT': 'RCPT TO', 'DATA': 'DATA', '.': 'end of DATA'}
for step, words in STEPS.items():
    far = FarServer(answers={step: '554 5.7.1 not from you'})
    with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
        mail.send('alice@example.test', ['b@far.test'])
        bounce, = mail.wait_for_mail('alice')
        expect_match(rf'said:\s+554\s+5\.7\.1\s+not\s+from\s+you\s+\(in\s+reply\s+to\s+{words.replace(" ", chr(92) + "s+")}\s+command\)', bounce, 'the text')
        expect_match(r'^Diagnostic-Code: smtp; 554 5\.7\.1 not from you$', bounce, 'the diagnostic')
        mail.wait_for_log(r'to=<b@far\.test>, .*dsn=5\.7\.1, status=bounced \(host .* said: 554 5\.7\.1 not from you')
        mail.wait_for_empty_queue()
        expect(far.messages, [], 'messages')
    far.close()
