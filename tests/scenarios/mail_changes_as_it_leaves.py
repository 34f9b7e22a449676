"""Addresses, headers and 8-bit text are changed for the far side as smtp_generic_maps, smtp_header_checks and a peer without
8BITMIME ask for, and only there; a table that does not answer lets the mail wait."""
from instance import FarServer, Instance, expect, expect_match

MAIL = ('From: Alice <alice@example.test>\nTo: b@far.test\nSubject: secret plan\nX-Internal: host1\nMIME-Version: 1.0\n'
        'Content-Type: multipart/mixed; boundary=x\nContent-Transfer-Encoding: 8bit\n\n'
        '--x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGr\u00fc\u00dfe = 1 \n'
        '--x\nContent-Type: message/rfc822\n\nFrom: alice@example.test\n\nalice@example.test\n--x--\n')

far = FarServer(ehlo=('far.test',))
with Instance(main=f'''relayhost = [127.0.0.1]:{far.port}
smtp_generic_maps = inline:{{ alice@example.test=public@isp.test }}
smtp_header_checks = regexp:{{{{/^X-Internal:/ IGNORE}} {{/^Subject: (secret .*)/ REPLACE Subject: [$$1]}} {{/^To:/ REJECT too late}}}}
smtp_body_checks = regexp:{{{{/^Gr/ WARN a greeting}}}}
''') as mail:
    mail.send('alice@example.test', ['b@far.test', 'bob@example.test'], MAIL.encode())
    sender, recipients, content = far.wait_for()[0]
    text = content.decode()
    expect(sender.split()[1], 'FROM:<public@isp.test>', 'the sender of the envelope')
    expect_match(r'^From: Alice <public@isp\.test>\r$', text, 'the header')
    expect_match(r'^Subject: \[secret plan\]\r$', text, 'the replaced field')
    expect('X-Internal' in text, False, 'the field that is ignored')
    expect_match(r'\r\nContent-Transfer-Encoding: 7bit\r\n\r\n--x\r\n', text, 'the encoding of the whole')
    expect_match(r'charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe =3D 1=20\r\n--x', text, 'the converted part')
    expect_match(r'message/rfc822\r\n\r\nFrom: alice@example\.test\r\n\r\nalice@example\.test\r\n--x--', text, 'the attached message')
    mail.wait_for_log(r'postfix/smtp\[\d+\]: \w+: replace: header Subject: secret plan: Subject: \[secret plan\]')
    mail.wait_for_log(r'warning: unsupported command in smtp_header_checks map: REJECT too late')
    mail.wait_for_log(r'postfix/smtp\[\d+\]: \w+: warning: body Gr.*: a greeting')
    local, = mail.wait_for_mail('bob')
    expect_match(r'^From: Alice <alice@example\.test>$', local, 'the local copy')
    expect_match(r'^X-Internal: host1$', local, 'the local copy')

for setting, why in (('smtp_header_checks = fail:x', r'warning: \w+: smtp header checks lookup error'),
                     ('smtp_generic_maps = fail:x', r'warning: \w+: smtp_generic_maps map lookup problem for alice@example\.test')):
    far.messages.clear()
    with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n{setting}\n') as mail:
        mail.send('alice@example.test', ['b@far.test'])
        mail.wait_for_log(why)
        mail.wait_for_log(r'to=<b@far\.test>, .*dsn=4\.3\.0, status=deferred \(local data error while talking to 127\.0\.0\.1\[127\.0\.0\.1\]\)')
        expect(far.messages, [], setting)
far.close()
