"""Too many recipients, too much text, too many connections and too many errors are refused with what Postfix says."""
from instance import Instance, expect

MAIN = '''smtpd_recipient_limit = 3
message_size_limit = 20000
smtpd_client_connection_count_limit = 2
smtpd_client_event_limit_exceptions =
smtpd_hard_error_limit = 4
smtpd_soft_error_limit = 2
smtpd_error_sleep_time = 0
'''
with Instance(main=MAIN) as mail:
    with mail.dialogue() as d:
        d.say('EHLO client.test')
        expect(d.say('MAIL FROM:<a@remote.test> SIZE=20001'), '552 5.3.4 Message size exceeds fixed limit', 'a size that is announced')
        d.say('MAIL FROM:<a@remote.test>')
        expect([d.say(f'RCPT TO:<{user}@example.test>')[:9] for user in ('alice', 'bob', 'carol', 'alice')], ['250 2.1.5'] * 3 + ['452 4.5.3'], 'recipients')
        d.say('DATA')
        d.send(('x' * 70 + '\r\n') * 1000)
        expect(d.say('.'), '552 5.3.4 Error: message file too big', 'a size that is not')
        with mail.dialogue():
            expect(mail.dialogue().greeting, '421 4.7.0 mail.example.test Error: too many connections from 127.0.0.1', 'the third connection')
    mail.wait_for_log(r'warning: Connection concurrency limit exceeded: 3 from localhost\[127\.0\.0\.1\] for service')
    with mail.dialogue() as d:
        for _ in range(4):
            expect(d.say('nonsense'), '500 5.5.2 Error: command not recognized', 'an error')
        expect(d.reply(), '421 4.7.0 mail.example.test Error: too many errors', 'behind the fourth error')
    expect(mail.mailbox('alice'), [], 'messages')
