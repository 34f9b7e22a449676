"""Members of an alias are delivered side by side: each once, and the log tells of them in the order of the list."""
import os, re
from instance import Instance, expect, skip, wait_until

if os.geteuid():
    skip('mailboxes of several users')
MEMBERS = ['daemon', 'bin', 'sys', 'games', 'man', 'lp', 'news', 'uucp', 'proxy', 'backup', 'irc', 'list']
WRITTEN = MEMBERS[:5] + ['daemon', 'nosuchuser'] + MEMBERS[5:] + ['games']
with Instance(start=False) as mail:
    spool = os.path.join(mail.folder, 'boxes')
    os.mkdir(spool, 0o755)
    mail.set(f'alias_maps = inline:{{ {{everybody = {", ".join(WRITTEN)}}} }}\nmail_spool_directory = {spool}/\n')
    mail.start()
    for count in range(1, 6):
        mail.send(sender='', to=['everybody@mail.example.test'])      # nobody hears of the one that fails
        mail.wait_for_log(r'qmgr.* removed', count)
    for turn in mail.log().split(': from=<>, size')[1:6]:
        order = re.findall(r'/local\[.* to=<(\w+)@mail\.example\.test>, orig_to=<everybody@.*status=(\w+)', turn)
        expect(order, [(name, 'bounced' if name == 'nosuchuser' else 'sent') for name in dict.fromkeys(WRITTEN)], 'members in the log')
    for name in MEMBERS:
        expect(len(os.listdir(f'{spool}/{name}/new')), 5, f'messages for {name}')
