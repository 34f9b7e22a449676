"""A local program's mail is taken while nothing runs, and delivered after the start."""
from instance import Instance, expect, expect_match

with Instance(start=False) as mail:
    mail.start()
    mail.stop()
    for i in range(3):
        mail.run('sendmail', '-f', 'app@example.test', 'alice@example.test', input=f'Subject: {i}\n\nwritten while down\n')
    expect(mail.mailbox('alice'), [], 'what was delivered by nobody')
    mail.start()
    messages = mail.wait_for_mail('alice', 3)
    expect(sorted(expect_match(r'^Subject: (\d)$', m, 'the subject').group(1) for m in messages), ['0', '1', '2'], 'what arrived')
    mail.wait_for_log(r'pickup\[\d+\]: \w+: uid=\d+ from=<app@example\.test>', 3)
    mail.wait_for_empty_queue()
