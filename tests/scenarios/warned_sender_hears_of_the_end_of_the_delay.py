"""With confirm_delay_cleared, a sender who was warned of a delay is told when the mail got through; with
enable_threaded_bounces both reports point at his message."""
from instance import FarServer, Instance, expect, expect_match

far = FarServer(answers={'RCPT TO:<x@': '450 4.2.0 not now'})
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\nconfirm_delay_cleared = yes\nenable_threaded_bounces = yes\ndelay_warning_time = 1s\n'
                   'minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\n') as mail:
    mail.send(sender='alice@example.test', to=['x@far.test'], message='Subject: x\nMessage-ID: <its-name@example.test>\n\nx\n')
    warning, = mail.wait_for_mail('alice')
    expect_match(r'^Subject: Delayed Mail \(still being retried\)$', warning, 'the warning')
    far.answers.clear()
    relief = [r for r in mail.wait_for_mail('alice', 2) if 'Delayed Mail' not in r][0]
    expect_match(r'^Subject: Successful Mail Delivery Report$', relief, 'the relief')
    expect_match(r'^Action: relayed$', relief, 'what became of the mail')
    for report in (warning, relief):
        expect_match(r'^References: <its-name@example\.test>\nIn-Reply-To: <its-name@example\.test>$', report.split('\n\n')[0], 'the thread')
    mail.wait_for_empty_queue()
    expect(len(mail.mailbox('alice')), 2, 'reports')
