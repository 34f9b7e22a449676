"""smtp_reply_filter gives other words to lines of replies, smtp_delivery_status_filter other codes to outcomes; a reply filter
that fails makes no refusal final, and mail that was taken is not sent again."""
from instance import FarServer, Instance, expect, expect_match

far = FarServer(answers={'RCPT': lambda line: '550 5.7.1 you are greylisted' if 'grey@' in line else '554 5.1.1 no such user' if 'gone@' in line else '250 2.1.5 ok'})
with Instance(main=f'''relayhost = [127.0.0.1]:{far.port}
smtp_reply_filter = regexp:{{{{/^550 5.7.1 (.*greylisted)/ 450 4.7.1 $$1}}}}
smtp_delivery_status_filter = pcre:{{{{/^5\\.1\\.1 (.*no such user.*)/ 4.1.1 perhaps: $$1}} {{/^2/ 5.0.0 not this}}}}
''') as mail:
    mail.send('alice@example.test', ['grey@far.test', 'gone@far.test', 'fine@far.test'])
    mail.wait_for_log(r'to=<grey@far\.test>, .*dsn=4\.7\.1, status=deferred \(host .* said: 450 4\.7\.1 you are greylisted')
    mail.wait_for_log(r'to=<gone@far\.test>, .*dsn=4\.1\.1, status=deferred \(perhaps: host .* said: 554 5\.1\.1 no such user')
    mail.wait_for_log(r'to=<fine@far\.test>, .*dsn=2\.0\.0, status=sent')
    mail.wait_for_log(r'ignoring bad result "5\.0\.0 not this" for "2\.0\.0 ')
    expect(len(far.messages), 1, 'messages')
    expect(mail.mailbox('alice'), [], 'nothing was returned')
with Instance(main=f'''relayhost = [127.0.0.1]:{far.port}
smtp_reply_filter = fail:x
default_delivery_status_filter = inline:{{nothing=4.0.0 x}}
''') as mail:
    mail.send('alice@example.test', ['gone@far.test', 'fine@far.test'])
    mail.wait_for_log(r'to=<gone@far\.test>, .*dsn=4\.1\.1, status=deferred \(host .* said: 454 4\.1\.1 no such user')
    mail.wait_for_log(r'to=<fine@far\.test>, .*status=sent')
    expect(len(far.messages), 2, 'messages')
    expect_match('fail:x lookup error', mail.log(), 'the trouble')
far.close()
