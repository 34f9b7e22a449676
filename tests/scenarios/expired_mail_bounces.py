"""Mail that could not be delivered for maximal_queue_lifetime returns to its sender with the last reason."""
from instance import FarServer, Instance, expect_match

far = FarServer(answers={'RCPT': '450 4.2.1 mailbox busy'})
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\nmaximal_queue_lifetime = 2s\n') as mail:
    mail.send('alice@example.test', ['b@far.test'])
    mail.wait_for_log(r'dsn=4\.2\.1, status=deferred')
    bounce, = mail.wait_for_mail('alice')
    expect_match(r'said:\s+450\s+4\.2\.1\s+mailbox\s+busy', bounce, 'the reason')
    expect_match(r'^Action: failed$', bounce, 'the action')
    expect_match(r'^Status: 4\.2\.1$', bounce, 'the status')
    mail.wait_for_log(r'qmgr\[\d+\]: \w+: from=<alice@example\.test>, status=expired, returned to sender')
    mail.wait_for_empty_queue()
