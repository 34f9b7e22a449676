"""A message to many recipients on a slow transport lets a single one pass."""
import os
from instance import Instance, skip, expect, wait_until

if os.geteuid():
    skip('commands run as another user')
with Instance(main='transport_maps = inline:{slow.test=slow:}\nslow_destination_recipient_limit = 1\nsmtpd_recipient_limit = 2000\n',
              master='slow unix - n n - 1 pipe user=nobody argv=/bin/sleep 0.05\n') as mail:
    mail.send(to=[f'member{i}@slow.test' for i in range(400)])
    mail.wait_for_log(r'to=<member\d+@slow\.test>.*status=sent')
    mail.send(to=['single@slow.test'])
    mail.wait_for_log(r'to=<single@slow\.test>.*status=sent')
    members = mail.log().split('to=<single@slow.test>')[0].count('status=sent')
    expect(members < 300, True, f'the single one came after {members} of 400: before most of them')
    wait_until(lambda: mail.log().count('status=sent') == 401, 'all the others', limit=120)
