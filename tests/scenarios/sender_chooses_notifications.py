"""NOTIFY=NEVER silences a bounce, NOTIFY=SUCCESS asks for a report of delivery (RFC 3461)."""
from instance import FarServer, Instance, expect, expect_match

far = FarServer(answers={'RCPT TO:<no@': '550 5.1.1 no such user'})
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
    def send(to, notify):
        with mail.smtp() as s:
            s.sendmail('alice@example.test', [to], 'Subject: x\n\nx\n', rcpt_options=[f'NOTIFY={notify}'])
    send('no@far.test', 'NEVER')
    mail.wait_for_log(r'to=<no@far\.test>, .*status=bounced')
    mail.wait_for_empty_queue()
    expect(mail.mailbox('alice'), [], 'bounces')
    send('bob@example.test', 'SUCCESS')
    report, = mail.wait_for_mail('alice')
    expect_match(r'^Subject: Successful Mail Delivery Report$', report, 'the subject')
    expect_match(r'^Final-Recipient: rfc822; bob@example\.test$.*^Action: delivered$.*^Status: 2\.0\.0$', report, 'the fields')
    send('yes@far.test', 'SUCCESS')
    relayed = [r for r in mail.wait_for_mail('alice', 2) if 'yes@far.test' in r][0]
    expect_match(r'^Action: relayed$', relayed, 'the action of mail that left our world')
