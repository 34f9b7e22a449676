"""A reload with a faulty file is refused, with file and line on the terminal and in the log; the running settings stay in force."""
import os, signal
from instance import Instance, expect, expect_match

with Instance(main='smtpd_banner = $myhostname ESMTP first\n') as mail:
    mail.set('smtpd_banner = $myhostname ESMTP second\nsmtpd_recipient_limit = lots\n')
    path = f'{mail.config}/main.cf'
    line = open(path).read().split('\n').index('smtpd_recipient_limit = lots') + 1
    refused = mail.run('postfix', 'reload', check=False)
    expect(refused.returncode, 1, 'the exit status')
    expect_match(rf'bad numerical configuration: smtpd_recipient_limit = lots\n.*{path}, line {line}: write a whole number', refused.stderr, 'the message on the terminal')
    os.kill(mail.master_pid(), signal.SIGHUP)        # past the command's own check
    mail.wait_for_log(rf'master\[\d+\]: error: reload refused, the running settings stay in force: bad numerical configuration: smtpd_recipient_limit = lots \({path}, line {line}\)')
    with mail.dialogue() as d:
        expect(d.greeting, '220 mail.example.test ESMTP first', 'the greeting')
    mail.send()
    mail.wait_for_mail('alice')
    mail.set('smtpd_recipient_limit = 10\n')
    mail.run('postfix', 'reload')
    mail.wait_for_log('reload -- version')
    with mail.dialogue() as d:
        expect(d.greeting, '220 mail.example.test ESMTP second', 'the greeting after a good reload')
