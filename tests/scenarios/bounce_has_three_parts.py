"""A bounce is a multipart/report: a text for people, fields for programs, and the message that came back (RFC 3464)."""
import email
from instance import FarServer, Instance, expect

far = FarServer(answers={'RCPT': '550 5.1.1 no such user'})
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
    with mail.smtp() as s:
        s.sendmail('alice@example.test', ['b@far.test'], 'From: alice@example.test\nSubject: was lost\n\nthe text\n', mail_options=['ENVID=E1', 'RET=FULL'],
                   rcpt_options=['ORCPT=rfc822;other@far.test'])
    bounce = email.message_from_string(mail.wait_for_mail('alice')[0])
    expect(bounce['Return-Path'], '<>', 'the sender of the bounce')
    expect(bounce['Subject'], 'Undelivered Mail Returned to Sender', 'the subject')
    expect(bounce.get_content_type(), 'multipart/report', 'the type')
    expect(bounce.get_param('report-type'), 'delivery-status', 'the report type')
    text, fields, returned = bounce.get_payload()
    expect([part.get_content_type() for part in (text, fields, returned)], ['text/plain', 'message/delivery-status', 'message/rfc822'], 'the parts')
    message, recipient = fields.get_payload()
    expect(message['Reporting-MTA'], 'dns; mail.example.test', 'Reporting-MTA')
    expect(message['Original-Envelope-Id'], 'E1', 'Original-Envelope-Id')
    for name, want in {'Final-Recipient': 'rfc822; b@far.test', 'Original-Recipient': 'rfc822;other@far.test', 'Action': 'failed', 'Status': '5.1.1',
                       'Remote-MTA': 'dns; 127.0.0.1', 'Diagnostic-Code': 'smtp; 550 5.1.1 no such user'}.items():
        expect(recipient[name], want, name)
    inner, = returned.get_payload()
    expect((inner['Subject'], inner.get_payload().strip()), ('was lost', 'the text'), 'the returned message')
