"""sendmail -bs offers and allows what the server would: no VRFY where it is disabled, no keyword that is discarded."""
from instance import Instance, expect

DIALOGUE = 'EHLO client.test\r\nVRFY alice@example.test\r\nQUIT\r\n'
with Instance(start=False) as mail:
    said = mail.run('sendmail', '-bs', input=DIALOGUE).stdout
    expect(('250-VRFY' in said, '250-DSN' in said, '250-SMTPUTF8' in said, '252 2.0.0' in said), (True, True, True, True), f'by default: {said}')
    mail.set('disable_vrfy_command = yes\nsmtpd_discard_ehlo_keywords = dsn, chunking\nsmtputf8_enable = no\n')
    said = mail.run('sendmail', '-bs', input=DIALOGUE).stdout
    expect([word for word in ('VRFY', 'DSN', 'SMTPUTF8', 'CHUNKING') if word in said.split('QUIT')[0].split('502')[0]], [], f'offered: {said}')
    expect('502 5.5.1 VRFY command is disabled' in said, True, f'VRFY: {said}')
