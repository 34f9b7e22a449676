"""sendmail -t takes the recipients from the headers, removes Bcc, and completes what is missing; -i keeps a lone dot."""
from instance import Instance, expect, expect_match

with Instance() as mail:
    mail.run('sendmail', '-t', '-i', '-F', 'An App', '-f', 'app@example.test',
             input='To: Alice <alice@example.test>,\n bob@example.test (Bob)\nBcc: carol@example.test\nSubject: to three\n\nbefore\n.\nafter\n')
    for user in ('alice', 'bob', 'carol'):
        message, = mail.wait_for_mail(user)
        header, body = message.split('\n\n', 1)
        expect(body, 'before\n.\nafter\n', 'the body')
        expect('Bcc' in header, False, 'Bcc is shown')
        expect_match(r'^From: An App <app@example\.test>$', header, 'the completed From')
        expect_match(r'^Received: by mail\.example\.test \(Postfix, from userid \d+\)$', header, 'the Received header')
    mail.run('sendmail', 'alice@example.test', input='Subject: dot\n\nbefore\n.\nafter\n')
    cut = [m for m in mail.wait_for_mail('alice', 2) if 'Subject: dot' in m][0]
    expect(cut.split('\n\n', 1)[1], 'before\n', 'the body up to the lone dot')
