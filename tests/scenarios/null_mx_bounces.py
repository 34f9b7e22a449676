"""A domain with a null MX takes no mail: the sender hears it at once (RFC 7505)."""
from instance import Instance, expect_match

with Instance(zone={('null.test', 'MX'): [(0, '.')], ('gone.test', 'MX'): [(10, 'nowhere.gone.test')]}) as mail:
    mail.send('alice@example.test', ['b@null.test'])
    bounce, = mail.wait_for_mail('alice')
    expect_match(r'^<b@null\.test>: Domain null\.test does not accept mail \(nullMX\)$', bounce, 'the text')
    expect_match(r'^Status: 5\.1\.0$', bounce, 'the status')
    mail.wait_for_log(r'to=<b@null\.test>, relay=none, .*dsn=5\.1\.0, status=bounced \(Domain null\.test does not accept mail \(nullMX\)\)')
    mail.send('alice@example.test', ['b@nosuch.test'])
    mail.wait_for_mail('alice', 2)
    mail.wait_for_log(r'to=<b@nosuch\.test>, relay=none, .*dsn=5\.4\.4, status=bounced \(Host or domain name not found')
