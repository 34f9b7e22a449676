"""An almost empty main.cf relays for nobody outside, and strangers hear it at RCPT."""
import re
from instance import FarServer, Instance, expect

far = FarServer()
with Instance(start=False) as mail:
    kept = re.findall(r'^(?:queue_directory|data_directory|maillog_file|mail_owner|setgid_group|command_directory|ekiden_dns_server) =.*\n', open(f'{mail.config}/main.cf').read(), re.M)
    mail.write('main.cf', ''.join(kept) + f'compatibility_level = 3.6\nmyhostname = mail.example.test\ninet_interfaces = 127.0.0.1\nrelayhost = [127.0.0.1]:{far.port}\n'
               'alias_maps =\nmynetworks = 127.0.0.1/32\n')   # the default is 127/8: a test has no other strangers
    mail.start()
    with mail.dialogue(source='127.0.0.3') as d:
        d.say('EHLO client.test')
        d.say('MAIL FROM:<root@mail.example.test>')
        expect(d.say('RCPT TO:<b@far.test>'), '454 4.7.1 <b@far.test>: Relay access denied', 'a foreign recipient')
        expect(d.say('RCPT TO:<b@other.example.test>')[:3], '454', 'a subdomain of ours')
        expect(d.say('RCPT TO:<nobody-here-at-all@mail.example.test>')[:3], '550', 'an unknown user of ours')
        expect(d.say('DATA')[:3], '554', 'DATA without recipients')
    expect(far.messages, [], 'what was relayed')
