"""Reports that the mail system writes itself are signed where internal_mail_filter_classes says so: non_smtpd_milters are asked about them,
and only then; a milter that refuses a message of sendmail has it returned, and one that fails has it wait."""
from instance import Instance, expect, expect_match, wait_until
from played_milter import Milter, add_header


def main():
    with Milter({'E': [add_header('X-Signed', 'yes'), b'c']}) as milter, Instance(f'non_smtpd_milters = inet:127.0.0.1:{milter.port}\n'
                                                                                    'milter_default_action = tempfail\n', start=False) as mail:
        mail.start()
        mail.run('sendmail', '-f', 'alice@example.test', 'nobody@nowhere.invalid', input='Subject: first\n\nx\n')
        report = mail.wait_for_mail('alice')[0]
        expect_match(r'^Subject: Undelivered Mail Returned to Sender$', report, 'the report')
        header, body = report.split('\n\n', 1)
        expect('X-Signed' in header, False, 'a report is signed that nobody wanted signed')
        expect_match(r'^X-Signed: yes$', body, 'the returned message, which sendmail handed in')

        mail.set('internal_mail_filter_classes = bounce\n')
        mail.stop()
        milter.play({'E': [add_header('X-Signed', 'yes'), b'c']})
        mail.start()
        mail.run('sendmail', '-f', 'alice@example.test', 'nobody@nowhere.invalid', input='Subject: second\n\nx\n')
        report = next(text for text in mail.wait_for_mail('alice', 2) if 'Subject: second' in text)
        expect_match(r'^X-Signed: yes$', report.split('\n\n', 1)[0], 'the header of the report')
        expect('M ' in ''.join(line[:2] for line in milter.heard), True, f'the sender is told: {milter.heard}')

        # refused for good: returned; refused for now: tried again later
        milter.play({'L:Subject,refused': b'r', 'L:Subject,later': b't'})
        mail.run('sendmail', '-f', 'alice@example.test', 'bob@example.test', input='Subject: refused\n\nx\n')
        wait_until(lambda: any('Command rejected' in text for text in mail.mailbox('alice')), 'the report of what was refused')
        mail.run('sendmail', '-f', 'alice@example.test', 'bob@example.test', input='Subject: later\n\nx\n')
        mail.wait_for_log(r'milter-reject: END-OF-MESSAGE from localhost\[127\.0\.0\.1\]: 4\.7\.1 Service unavailable - try again later; from=<alice@example\.test> to=<bob@example\.test>$')
        expect(mail.mailbox('bob'), [], 'mail that was to wait')
        milter.play()
        mail.stop()
        mail.start()
        wait_until(lambda: any('Subject: later' in text for text in mail.mailbox('bob')), 'the mail that waited')


main()
