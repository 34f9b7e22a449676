"""pflogsumm, the log summary that sites run every night, finds the right totals in our log."""
import re, shutil, subprocess
from instance import FarServer, Instance, expect, skip

if not shutil.which('pflogsumm'):
    skip('pflogsumm is not installed')
far = FarServer(answers={'RCPT TO:<no@': '550 5.1.1 no such user', 'RCPT TO:<later@': '450 4.2.1 busy'})
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
    for _ in range(3):
        mail.send('a@remote.test', ['alice@example.test', 'bob@example.test'])      # 3 received, 6 delivered
    mail.send('a@remote.test', ['yes@far.test'])                                    # 1 received, 1 delivered
    mail.send('alice@example.test', ['no@far.test'])                                # 1 received, 1 bounced, and its bounce delivered
    mail.send('a@remote.test', ['later@far.test'])                                  # 1 received, 1 deferred
    with mail.dialogue(source='127.0.0.2') as d:                                    # 2 rejected
        d.say('EHLO client.test')
        d.say('MAIL FROM:<a@remote.test>')
        d.say('RCPT TO:<b@far.test>')
        d.say('RCPT TO:<nobody@example.test>')
        d.say('QUIT')
    mail.wait_for_log(r'status=sent', 8)
    mail.wait_for_log(r'status=deferred')
    mail.wait_for_log(r': removed$', 6)
    summary = subprocess.run(['pflogsumm', '--problems-first', mail.log_file], capture_output=True, text=True, timeout=60)
    expect(summary.stderr, '', 'complaints')
    totals = {name: int(count) for count, name in re.findall(r'^ +(\d+)k? +(received|delivered|forwarded|deferred|bounced|rejected|senders|recipients)\b', summary.stdout, re.M)}
    # The bounce comes from inside; pflogsumm counts as received what has a client or a uid.
    expect(totals, {'received': 6, 'delivered': 8, 'forwarded': 0, 'deferred': 1, 'bounced': 1, 'rejected': 2, 'senders': 2, 'recipients': 3}, 'the totals\n' + summary.stdout[:2500])
