"""A relay host whose name does not exist is a mistake in main.cf: mail waits for it to be mended, and is not returned."""
from instance import Instance, expect

with Instance(main='relayhost = [smtp.relay.test]:587\n', zone={}) as mail:
    mail.send('alice@example.test', ['b@far.test'])
    mail.wait_for_log(r'warning: relayhost configuration problem')
    mail.wait_for_log(r'to=<b@far\.test>, .*dsn=4\.3\.5, status=deferred \(Host or domain name not found\. Name service error for name=smtp\.relay\.test')
    expect(len(mail.entries()), 1, 'messages in the queue')
    expect(mail.mailbox('alice'), [], 'bounces')
