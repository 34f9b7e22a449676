"""A stranger may send to our domains and to no other; our own networks may send everywhere."""
from instance import FarServer, Instance, expect

FORMS = ['b@far.test', '"b@far.test"@mail.example.test', 'b%far.test@mail.example.test', '@mail.example.test:b@far.test', 'far.test!b', '"b@far.test"']
far = FarServer()
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
    with mail.dialogue(source='127.0.0.2') as d:
        d.say('EHLO client.test')
        for form in FORMS:
            expect(d.say('MAIL FROM:<a@remote.test>')[:3], '250', 'the sender')
            if (reply := d.say(f'RCPT TO:<{form}>')).startswith('2') and d.say('DATA').startswith('3'):
                d.send('x\r\n.\r\n')
                d.reply()
            d.say('RSET')
            if form == 'b@far.test':
                expect(reply, '454 4.7.1 <b@far.test>: Relay access denied', 'the plain form')
        d.say('MAIL FROM:<a@remote.test>')
        expect(d.say('RCPT TO:<alice@example.test>')[:3], '250', 'our own domain')
    mail.send('a@remote.test', ['inside@far.test'])
    expect([m[1] for m in far.wait_for()], [['RCPT TO:<inside@far.test>']], 'what was relayed')
