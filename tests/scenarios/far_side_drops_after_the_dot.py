"""The connection is lost after the dot: nobody knows whether the message was taken, so it is sent again."""
from instance import FarServer, Instance, expect

far = FarServer(answers={'.': None})
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
    mail.send('alice@example.test', ['b@far.test'])
    mail.wait_for_log(r'dsn=4\.4\.2, status=deferred \(lost connection with .* while sending end of data -- message may be sent more than once\)')
    far.answers.clear()
    mail.run('postqueue', '-f')
    expect(len(far.wait_for()), 1, 'messages')
    mail.wait_for_empty_queue()
