"""sendmail -bv asks every delivery agent, delivers nothing and mails a report; sendmail -v delivers and mails one, of the first
attempt only. A question stays a question: a crash or a requeue makes no mail of it."""
import os

from instance import SILENCE, FarServer, Instance, expect, expect_match

far = FarServer(answers={'RCPT TO:<no@': '550 5.1.1 no such user', 'RCPT TO:<later@': '450 4.2.1 busy'})
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\nsmtp_rcpt_timeout = 5s\ntransport_maps = inline:{{gone.test=discard:thrown_away}}\n') as mail:
    def ask(*words):
        return mail.run('sendmail', '-f', 'alice@example.test', *words, input='Subject: x\n\nhello\n').stdout
    expect(ask('-bv', 'bob@example.test', 'nosuch@example.test', 'yes@far.test', 'no@far.test', 'later@far.test', 'x@gone.test'),
           'Mail Delivery Status Report will be mailed to <alice@example.test>.\n', 'what sendmail says')
    report, = mail.wait_for_mail('alice')
    mail.wait_for_empty_queue()
    expect_match(r'^Subject: Mail Delivery Status Report$', report, 'the report')
    for address, action in {'bob@example.test': 'deliverable', 'nosuch@example.test': 'undeliverable', 'yes@far.test': 'deliverable',
                            'no@far.test': 'undeliverable', 'later@far.test': 'undeliverable', 'x@gone.test': 'deliverable'}.items():
        expect_match(rf'^Final-Recipient: rfc822; {address}\nOriginal-Recipient: rfc822;{address}\nAction: {action}\n', report, address)
        expect_match(rf'to=<{address}>, .*status={action} \(', mail.log(), 'the log')
    expect(mail.mailbox('bob'), [], 'mail that was only asked about')
    expect(far.messages, [], 'messages at the far side')
    expect(any(c.startswith('DATA') for c in far.commands), False, 'DATA')
    expect('status=bounced' in mail.log() or 'status=deferred' in mail.log(), False, 'bounces')

    # -v delivers.
    expect(ask('-v', 'bob@example.test', 'later@far.test'), 'Mail Delivery Status Report will be mailed to <alice@example.test>.\n', 'what sendmail -v says')
    expect(len(mail.wait_for_mail('bob')), 1, 'mail for bob')
    report = next(r for r in mail.wait_for_mail('alice', 2) if 'later@far.test' in r and 'Action: delayed' in r)
    expect_match(r'^Final-Recipient: rfc822; bob@example\.test\n.*^Action: delivered$', report, 'the report of -v')
    far.answers.pop('RCPT TO:<later@')
    mail.run('postqueue', '-f')
    far.wait_for(1)
    mail.wait_for_empty_queue()
    expect(len(mail.mailbox('alice')), 2, 'reports: one of the first attempt, none of the second')

    # The far side is silent while everything is killed; afterwards the question is asked again, and nothing else.
    far.answers['RCPT TO:<slow@'] = SILENCE
    ask('-bv', 'slow@far.test')
    mail.wait_for_entries(lambda q: len(q) == 1, 'one question')
    mail.kill_hard()
    far.answers.clear()
    mail.start()
    report, = [r for r in mail.wait_for_mail('alice', 3) if 'slow@far.test' in r]
    expect_match(r'^Action: deliverable$', report, 'the report after the crash')
    mail.wait_for_empty_queue()

    far.answers['RCPT TO:<slow@'] = SILENCE
    ask('-bv', 'slow@far.test')
    mail.wait_for_entries(lambda q: len(q) == 1, 'one question')
    far.answers.clear()
    mail.run('postsuper', '-r', 'ALL')
    mail.wait_for_mail('alice', 4)
    mail.wait_for_empty_queue()
    expect(len(far.messages), 1, 'messages at the far side: that of -v')
