"""With a transport rate delay, deliveries of that transport begin at least so far apart, whoever they are for."""
import time
from instance import Instance, expect

with Instance(main='transport_maps = inline:{one.test=paced: two.test=paced: three.test=paced:}\npaced_transport_rate_delay = 1s\n',
              master='paced unix - n n - - discard\n') as mail:
    start = time.monotonic()
    for domain in ('one', 'two', 'three'):
        mail.send(to=[f'x@{domain}.test'])
    mail.wait_for_log('status=sent', count=3)
    expect(time.monotonic() - start >= 1.9, True, 'three deliveries took two pauses')
    mail.send()
    mail.wait_for_mail('alice')
