"""Mail for a server that is down is kept, tried again by itself, and delivered when the server is back."""
from instance import FarServer, Instance, expect

far = FarServer()
far.close()
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\nminimal_backoff_time = 1s\nmaximal_backoff_time = 2s\nqueue_run_delay = 1s\n') as mail:
    mail.send('alice@example.test', ['b@far.test'])
    mail.wait_for_log(r'to=<b@far\.test>, relay=none, .*dsn=4\.4\.1, status=deferred \(connect to 127\.0\.0\.1\[127\.0\.0\.1\]:\d+: Connection refused\)', 2)
    back = FarServer(port=far.port)
    expect(len(back.wait_for()), 1, 'messages')
    mail.wait_for_log(r'to=<b@far\.test>, .*delay=\d.*status=sent')
    mail.wait_for_empty_queue()
    expect(mail.mailbox('alice'), [], 'bounces')
