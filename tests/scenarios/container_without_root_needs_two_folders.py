"""An ordinary user, a root file system that is read-only, postfix start-fg with its log on standard output: only the queue and
the data folder can be written, and mail goes in and out."""
import os, pwd, signal, subprocess
from own_mounts import in_own_mount_namespace, mount_tmpfs
from instance import Dialogue, FarServer, Instance, expect, expect_match, tool, wait_until

in_own_mount_namespace()
user = pwd.getpwnam('mail')
far = FarServer()
mail = Instance(start=False, main=f'maillog_file = /dev/stdout\nrelayhost = [127.0.0.1]:{far.port}\nvirtual_mailbox_domains =\n')
data = os.path.join(mail.folder, 'data')
for folder in (mail.spool, data):
    mount_tmpfs(folder, '512m', owner='mail')


def kept_writable(path):
    return path in (mail.spool, data) or path.split('/')[1] in ('proc', 'dev', 'sys')


with open('/proc/self/mountinfo') as mounts:
    places = {line.split()[4].replace('\\040', ' ') for line in mounts}
for place in sorted(places, key=len):
    if not kept_writable(place):
        subprocess.run(['mount', '-o', 'remount,bind,ro', place], check=place == '/', capture_output=True)
try:
    open(os.path.join(mail.config, 'probe'), 'w')
except OSError as error:
    expect_match('Read-only', str(error), 'what writing elsewhere gives')
else:
    raise AssertionError('the root file system can be written')

as_user = dict(user=user.pw_uid, group=user.pw_gid, extra_groups=[], cwd='/', env={'PATH': '/usr/bin:/bin'})
server = subprocess.Popen([tool('postfix'), '-c', mail.config, 'start-fg'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **as_user)
try:
    lines = iter(server.stdout.readline, '')
    seen = []
    for line in lines:
        seen.append(line)
        if 'daemon started -- version' in line:
            break
    else:
        raise AssertionError('it did not start:\n' + ''.join(seen))
    with Dialogue(mail.port) as client:
        client.say('EHLO client.test')
        client.say('MAIL FROM:<a@remote.test>')
        expect_match('^250', client.say('RCPT TO:<b@far.test>'), 'the recipient')
        client.say('DATA')
        expect_match('^250', client.say('Subject: one\r\n\r\nhello\r\n.'), 'the message')
    # A user of the container submits, and looks at the queue.
    sent = subprocess.run([tool('sendmail'), '-C', mail.config, 'c@far.test'], input='Subject: two\n\nhello\n', text=True, capture_output=True, **as_user)
    expect((sent.returncode, sent.stderr), (0, ''), 'sendmail')
    expect(len(far.wait_for(2)), 2, 'messages at the far side')
    queue = subprocess.run([tool('postqueue'), '-c', mail.config, '-p'], text=True, capture_output=True, **as_user)
    expect_match('Mail queue is empty|[A-F0-9]', queue.stdout, 'postqueue ' + queue.stderr)
finally:
    server.send_signal(signal.SIGTERM)
    rest = server.stdout.read()
expect(server.wait(), 0, 'the exit status; log:\n' + ''.join(seen) + rest)
far.close()
