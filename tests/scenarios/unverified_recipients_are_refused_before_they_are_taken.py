"""reject_unverified_recipient asks the next host once, remembers the answer, also over a restart, and never queues, defers or
bounces anything on the way; the server that asks back about our probe gets an answer too."""
from instance import FarServer, Instance, expect, expect_match

far = FarServer(answers={'RCPT TO:<no@': '550 5.1.1 no such user', 'RCPT TO:<later@': '450 4.2.1 busy'})
SETTINGS = f'''\
relay_domains = far.test
transport_maps = inline:{{far.test=relay:[127.0.0.1]:{far.port}}}
smtpd_recipient_restrictions = reject_unauth_destination, reject_unverified_recipient
unverified_recipient_reject_code = 550
address_verify_poll_delay = 1s
'''
with Instance(main=SETTINGS) as mail:
    def rcpt(address, sender='a@remote.test'):
        with mail.dialogue(source='127.0.0.2') as client:
            client.say('EHLO client.test')
            client.say(f'MAIL FROM:<{sender}>')
            return client.say(f'RCPT TO:<{address}>')

    refused = r'550 5\.1\.1 <no@far\.test>: Recipient address rejected: undeliverable address: host .* said: 550 5\.1\.1 no such user'
    expect_match(refused, rcpt('no@far.test'), 'an unknown recipient')
    expect_match(r'250 ', rcpt('yes@far.test'), 'a known recipient')
    expect_match(r'450 4\.1\.1 <later@far\.test>: Recipient address rejected: unverified address: ', rcpt('later@far.test'), 'a recipient nobody knows about now')
    expect_match(r'250 ', rcpt('bob@example.test'), 'a recipient of our own')
    expect_match(r'550 5\.1\.1 ', rcpt('nosuch@example.test'), 'nobody of our own')
    mail.wait_for_empty_queue()
    expect_match(r'postfix/verify\[\d+\]: cache btree:\S+/data/verify_cache full cleanup: retained=0 dropped=0 entries', mail.log(), 'the log')

    # Known now: answered without waiting, and the far side hears no more.
    asked = len(far.commands)
    mail.set('address_verify_poll_delay = 1000s\n')
    mail.run('postfix', 'reload')
    mail.wait_for_log('reload -- version')
    expect_match(refused, rcpt('no@far.test'), 'the second time')
    expect_match(r'250 ', rcpt('yes@far.test'), 'the second time')
    mail.stop()
    mail.start()
    expect_match(refused, rcpt('no@far.test'), 'after a restart')
    expect(len(far.commands), asked, 'commands at the far side')

    # The far side asks about the sender of the probe: it must not be refused, nor asked about in return.
    sender = next(c for c in far.commands if c.startswith('MAIL FROM:<')).split('<')[1].split('>')[0]
    expect(sender, 'double-bounce@mail.example.test', 'the sender of probes')
    expect_match(r'250 ', rcpt(sender, sender='double-bounce@far.test'), 'the question of the far side')

    expect(far.messages, [], 'messages at the far side')
    expect('status=bounced' in mail.log() or 'status=deferred' in mail.log(), False, 'bounces')
    mail.wait_for_empty_queue()

# Probes go their own way where that is configured, and their sender changes.
other = FarServer()
with Instance(main=SETTINGS + f'address_verify_transport_maps = inline:{{far.test=smtp:[127.0.0.1]:{other.port}}}\n'
              'address_verify_sender_ttl = 3600s\naddress_verify_map =\nsmtp_address_verify_target = data\n') as mail:
    with mail.dialogue(source='127.0.0.2') as client:
        client.say('EHLO client.test')
        client.say('MAIL FROM:<a@remote.test>')
        expect_match(r'250 ', client.say('RCPT TO:<no@far.test>'), 'the answer of the other way')
        expect_match(r'^MAIL FROM:<double-bounce\w+@mail\.example\.test>', '\n'.join(other.commands), 'the sender')
        expect_match(r'^DATA', '\n'.join(other.commands), 'the step at which the answer counts')
        sender = next(c for c in other.commands if c.startswith('MAIL FROM:<')).split('<')[1].split('>')[0]
        expect_match(r'250 ', client.say(f'RCPT TO:<{sender}>'), 'mail to the sender of probes')
    expect(other.messages, [], 'messages')
    mail.run('sendmail', sender, input='x\n')
    mail.wait_for_log(rf'to=<{sender}>, .*status=sent \(undeliverable postmaster notification discarded\)')
    mail.wait_for_empty_queue()
