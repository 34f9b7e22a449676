"""VERP: every recipient has a sender address that names him, in the envelope and for the bounce; who may not ask for it over
SMTP is refused."""
from instance import FarServer, Instance, expect, expect_match

far = FarServer(answers={'RCPT TO:<no@': '550 5.1.1 no such user', 'RCPT TO:<gone@': '550 5.1.1 gone'}, ehlo=('far.test',))
SETTINGS = f'''\
relayhost = [127.0.0.1]:{far.port}
smtpd_authorized_verp_clients = 127.0.0.1
recipient_delimiter = +
local_recipient_maps =
'''


def senders(server):
    return sorted((m[0].split('>')[0].split('<')[1], m[1][0].split('>')[0].split('<')[1]) for m in server.messages)


with Instance(main=SETTINGS) as mail:
    mail.run('sendmail', '-XV', '-f', 'alice+list@example.test', 'one@far.test', 'two@far.test', 'no@far.test', 'gone@far.test', 'bob@example.test',
             input='Subject: news\n\nx\n')
    far.wait_for(2)
    expect(senders(far), [('alice+list+one=far.test@example.test', 'one@far.test'), ('alice+list+two=far.test@example.test', 'two@far.test')], 'senders')
    expect_match(r'^Return-Path: <alice\+list\+bob=example\.test@example\.test>', mail.wait_for_mail('bob')[0], 'the sender of a mailbox')
    bounces = mail.wait_for_mail('alice', 2)
    mail.wait_for_empty_queue()
    expect(sorted(len([b for b in bounces if f'To: alice+list+{who}=far.test@example.test\n' in b and f'rfc822; {who}@far.test' in b]) for who in ('no', 'gone')), [1, 1],
           'a bounce for each, to its own address')
    expect_match(r'from=<alice\+list@example\.test>, .*nrcpt=5 \(queue active\)', mail.log(), 'the queue knows one message')

    # Over SMTP, for those who may.
    with mail.dialogue() as client:
        expect_match(r'^250-XVERP$', client.say('EHLO client.test'), 'the offer')
        expect(client.say('MAIL FROM:<> XVERP'), '503 5.5.4 Error: XVERP requires non-null sender', 'no sender')
        expect(client.say('MAIL FROM:<alice@example.test> XVERP=ab'), '501 5.5.4 Error: XVERP needs two characters from -=+', 'odd delimiters')
        for line in ('MAIL FROM:<alice@example.test> XVERP=-=', 'RCPT TO:<three@far.test>', 'RCPT TO:<four@far.test>'):
            expect_match('^250 ', client.say(line), line)
        expect_match('^354 ', client.say('DATA'), 'DATA')
        expect_match('^250 ', client.say('Subject: x\r\n\r\nx\r\n.'), 'the end')
    far.wait_for(4)
    expect(senders(far)[:1], [('alice+list+one=far.test@example.test', 'one@far.test')], 'what was before')
    expect(senders(far)[2:], [('alice-four=far.test@example.test', 'four@far.test'), ('alice-three=far.test@example.test', 'three@far.test')], 'senders')
    with mail.dialogue(source='127.0.0.2') as client:
        expect('XVERP' in client.say('EHLO client.test'), False, 'the offer for strangers')
        expect(client.say('MAIL FROM:<alice@example.test> XVERP'), '555 5.5.4 Unsupported option: XVERP', 'a stranger')

    # One bounce for all, to the plain sender, where that is wanted. The recipients survive a restart with their wish.
    mail.set('disable_verp_bounces = yes\n')
    mail.run('postfix', 'reload')
    before = len(mail.mailbox('alice'))
    mail.run('sendmail', '-XV', '-f', 'alice+list@example.test', 'no@far.test', 'gone@far.test', input='x\n')
    mail.wait_for_mail('alice', before + 1)
    mail.wait_for_empty_queue()
    bounce = [b for b in mail.mailbox('alice') if 'To: alice+list@example.test\n' in b]
    expect(len(bounce), 1, 'bounces')
    expect('no@far.test' in bounce[0] and 'gone@far.test' in bounce[0], True, 'both in one')
