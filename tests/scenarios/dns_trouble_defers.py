"""A name server that fails means try later, never an unknown domain."""
from dns_zone import Zone
from instance import Instance, expect

with Instance(zone={('far.test', 'MX'): [(10, 'mx.far.test')]}) as mail:
    mail.zone.failing.update({'far.test', 'mx.far.test'})
    mail.send('alice@example.test', ['b@far.test'])
    mail.wait_for_log(r'to=<b@far\.test>, .*dsn=4\.4\.3, status=deferred \(Host or domain name not found\. Name service error for name=far\.test type=MX: Host not found, try again')
    expect(len(mail.entries()), 1, 'messages in the queue')
    expect(mail.mailbox('alice'), [], 'bounces')
