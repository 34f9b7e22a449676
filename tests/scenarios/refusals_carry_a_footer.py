"""smtpd_reject_footer is added to every refusal, from a table where it has one, and never to the log or to what is accepted."""
from instance import Instance, expect, expect_match

with Instance(main=r'''
smtpd_reject_footer = \c. Call $server_name\nand say $client_address at $localtime
smtpd_reject_footer_maps = pcre:{{/^454 4\.7\.1 .*Relay access denied$$/ We relay for nobody}}
'''.lstrip()) as mail:
    with mail.dialogue(source='127.0.0.2') as d:
        expect_match(r'^250[ -]', d.say('EHLO client.test'), 'EHLO')
        reply = d.say('NONSENSE')
        expect_match(r'^500-5\.5\.2 Error: command not recognized\. Call mail\.example\.test\n500 5\.5\.2 and say 127\.0\.0\.2 at \w{3} [ \d]\d \d\d:\d\d:\d\d$', reply, 'an unknown command')
        expect(d.say('MAIL FROM:<a@remote.test>'), '250 2.1.0 Ok', 'MAIL')
        expect(d.say('RCPT TO:<x@far.test>'), '454-4.7.1 <x@far.test>: Relay access denied\n454 4.7.1 We relay for nobody', 'a relay')
        # Pipelined refusals keep their order.
        d.send('RCPT TO:<x@far.test>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<nobody@example.test>\r\n')
        expect([d.reply()[:3], d.reply()[:3], d.reply()[:3]], ['454', '250', '550'], 'three recipients')
    mail.wait_for_log(r'reject: RCPT .*nobody@example\.test')
    expect('Call mail' in mail.log() or 'relay for nobody' in mail.log(), False, 'a footer in the log')
