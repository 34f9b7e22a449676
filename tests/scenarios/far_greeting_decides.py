"""A 4xx greeting and a closed connection defer; a 5xx greeting is no fate either while another server may exist: it is tried later, too."""
from instance import FarServer, Instance, expect

for greeting, text in (('421 4.3.2 not now', r'refused to talk to me: 421 4\.3\.2 not now'), ('554 5.7.1 go away', r'refused to talk to me: 554 5\.7\.1 go away'),
                       (None, r'lost connection with .* while receiving the initial server greeting')):
    far = FarServer(greeting=greeting)
    with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
        mail.send('alice@example.test', ['b@far.test'])
        mail.wait_for_log(r'to=<b@far\.test>, .*status=deferred \(.*' + text)
        expect(mail.mailbox('alice'), [], 'bounces')
        far.greeting = '220 far.test ESMTP'
        mail.run('postqueue', '-f')
        far.wait_for()
        mail.wait_for_empty_queue()
    far.close()
