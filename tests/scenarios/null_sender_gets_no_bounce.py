"""A message without a sender that cannot be delivered ends: no bounce, nothing left in the queue."""
from instance import FarServer, Instance, expect

far = FarServer(answers={'RCPT TO:<b@': '550 5.1.1 no such user'})
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\nnotify_classes =\n') as mail:
    mail.send('', ['b@far.test'])
    mail.wait_for_log(r'to=<b@far\.test>, .*status=bounced')
    mail.wait_for_log(r'qmgr\[\d+\]: \w+: removed$')
    mail.wait_for_empty_queue()
    expect(far.messages, [], 'messages at the far side')
    expect('notification' in mail.log(), False, 'a notification is logged')
