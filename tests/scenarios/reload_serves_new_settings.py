"""After postfix reload new sessions follow the new settings, while a session that is open goes on under the old ones."""
from instance import Instance, expect

with Instance(main='smtpd_banner = $myhostname ESMTP first\nsmtpd_recipient_limit = 5\n') as mail:
    old = mail.dialogue()
    expect(old.greeting, '220 mail.example.test ESMTP first', 'the greeting')
    old.say('EHLO client.test')
    old.say('MAIL FROM:<a@remote.test>')
    engine = mail.engine_pid()
    mail.set('smtpd_banner = $myhostname ESMTP second\nsmtpd_recipient_limit = 1\n')
    mail.run('postfix', 'reload')
    mail.wait_for_log(r'master\[\d+\]: reload -- version \S+, configuration ' + mail.config)
    with mail.dialogue() as d:
        expect(d.greeting, '220 mail.example.test ESMTP second', 'the greeting after the reload')
        d.say('EHLO client.test')
        d.say('MAIL FROM:<a@remote.test>')
        expect([d.say(f'RCPT TO:<{u}@example.test>')[:3] for u in ('alice', 'bob')], ['250', '452'], 'recipients of the new session')
    expect([old.say(f'RCPT TO:<{u}@example.test>')[:3] for u in ('alice', 'bob')], ['250', '250'], 'recipients of the old session')
    old.say('DATA')
    expect(old.say('Subject: x\r\n\r\nx\r\n.')[:3], '250', 'the message of the old session')
    mail.wait_for_mail('bob')
    expect(mail.engine_pid(), engine, 'the engine')
