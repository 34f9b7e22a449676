"""Debian's Dovecot takes mail over LMTP, through its Unix socket and over TCP: of four recipients two have it unchanged, one does not
exist and one has no room, and each of them has a fate of its own."""
import glob, os, pwd
from dovecot import Dovecot
from instance import Instance, expect, expect_match, free_port, skip, wait_until

if not os.path.exists('/usr/lib/dovecot/lmtp'):
    skip('dovecot-lmtpd is not installed')
BODY = '.\n..\n.dots and a long line ' + 'x' * 900 + '\nlast\n'
port = free_port()
nobody = pwd.getpwnam('nobody')
more = f'''
mail_location = maildir:~/Maildir
mail_plugins = quota
quota_full_tempfail = yes
first_valid_uid = 1
first_valid_gid = 1
plugin {{
  quota = maildir:User quota
  quota_rule = *:bytes=10M
  quota_exceeded_message = no room
}}
service lmtp {{
  unix_listener FOLDER/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
'''


class LmtpServer(Dovecot):
    """keeps mail in folder/homes/USER/Maildir; full@far.test has room for a hundred bytes"""

    def __init__(self):
        super().__init__(users={}, more=more, protocols='lmtp', userdb='driver = passwd-file\n  args = username_format=%u FOLDER/users')

    def start(self):
        with open(self.config) as f:
            text = f.read().replace('FOLDER', self.folder)
        with open(self.config, 'w') as f:
            f.write(text)
        with open(f'{self.folder}/users', 'w') as f:
            for name, rule in (('yes', ''), ('also', ''), ('many', ''), ('full', 'userdb_quota_rule=*:bytes=100')):
                home = f'{self.folder}/homes/{name}'
                os.makedirs(home)
                os.chown(home, nobody.pw_uid, nobody.pw_gid)
                f.write(f'{name}@far.test:{{PLAIN}}x:{nobody.pw_uid}:{nobody.pw_gid}::{home}::{rule}\n')
        super().start()

    def mail_of(self, name):
        return glob.glob(f'{self.folder}/homes/{name}/Maildir/new/*')


with LmtpServer() as far:
    for hop, relay in ((f'unix:{far.folder}/lmtp', rf'mail\.example\.test\[{far.folder}/lmtp\]'), (f'inet:127.0.0.1:{port}', rf'127\.0\.0\.1\[127\.0\.0\.1\]:{port}')):
        with Instance(main=f'transport_maps = inline:{{ far.test=lmtp:{hop} }}\nlmtp_destination_recipient_limit = 50\n') as mail:
            before = {name: set(far.mail_of(name)) for name in ('yes', 'also', 'many')}
            mail.send('alice@example.test', [f'{name}@far.test' for name in ('yes', 'no', 'full', 'also')], 'Subject: to Dovecot\n\n' + BODY)
            mail.wait_for_log(rf'to=<(yes|also)@far\.test>, relay={relay}, .*dsn=2\.0\.0, status=sent \(250 2\.0\.0 <(yes|also)@far\.test> \S+ Saved\)', 2)
            mail.wait_for_log(rf'to=<no@far\.test>, relay={relay}, .*dsn=5\.1\.1, status=bounced \(host \S+ said: 550 5\.1\.1 <no@far\.test> User doesn\'t exist: no@far\.test \(in reply to RCPT TO command\)\)')
            mail.wait_for_log(rf'to=<full@far\.test>, relay={relay}, .*dsn=4\.2\.2, status=deferred \(host \S+ said: 452 4\.2\.2 <full@far\.test> no room \(in reply to end of DATA command\)\)')
            for name in ('yes', 'also'):
                path, = set(far.mail_of(name)) - before[name]
                with open(path) as f:
                    head, body = f.read().split('\n\n', 1)
                expect(body, BODY, 'the text')
                expect_match(r'^Return-Path: <alice@example\.test>$', head, 'the header')
            expect(far.mail_of('full'), [], 'mail of who has no room')
            entry, = mail.wait_for_entries(lambda q: len(q) == 1 and q[0]['queue_name'] == 'deferred', 'one deferred message')
            expect([r['address'] for r in entry['recipients']], ['full@far.test'], 'who waits')
            expect_match(r'^<no@far\.test>:\s+host\s.*said:\s+550\s+5\.1\.1', mail.wait_for_mail('alice')[0], 'the bounce')
            for i in range(30):
                mail.send('alice@example.test', ['many@far.test'], f'Subject: {i}\n\nx\n')
            wait_until(lambda: len(set(far.mail_of('many')) - before['many']) == 30, '30 messages')
            mail.wait_for_log(r'to=<many@far\.test>, .*status=sent', 30)
            expect([line for line in far.log().splitlines() if 'Error' in line or 'Panic' in line], [], 'complaints of Dovecot')
