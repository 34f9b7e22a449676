"""A real OpenSMTPD takes our mail, refuses one recipient, and has the text unchanged. (Without TLS: Debian's
OpenSMTPD and Debian's OpenSSL do not get on with each other.)"""
import glob, os, shutil, socket, subprocess
from instance import Instance, expect, expect_match, free_port, skip, wait_until
from own_mounts import in_own_mount_namespace, mount_tmpfs
from unpacked import unpacked

ACCOUNTS = {'opensmtpd': 4011, 'opensmtpq': 4012, 'far': 4013}
CONFIG = '''\
table people {{ "yes" = "far", "also" = "far", "many" = "far" }}
listen on 127.0.0.1 port {port} hostname far.test
action keep maildir "{mail}" virtual <people>
match from any for domain far.test action keep
'''
BODY = '.\n..\n.dots and a long line ' + 'x' * 900 + '\nlast\n'

root = unpacked('opensmtpd')
missing = [line for line in subprocess.run(['ldd', root + '/usr/sbin/smtpd'], capture_output=True, text=True).stdout.splitlines() if 'not found' in line]
if missing:
    skip('libraries that OpenSMTPD needs are missing: ' + ' '.join(missing))
in_own_mount_namespace(network=True)
with Instance(start=False) as mail:
    # Its paths and users are compiled in: they are there in this name space only.
    etc = os.path.join(mail.folder, 'etc')
    shutil.copytree('/etc', etc, symlinks=True, ignore_dangling_symlinks=True)
    for name, line in (('passwd', '{0}:x:{1}:{1}::/var/empty:/bin/sh\n'), ('group', '{0}:x:{1}:\n')):
        with open(os.path.join(etc, name), 'a') as out:
            out.writelines(line.format(*account) for account in ACCOUNTS.items())
    subprocess.run(['mount', '--bind', etc, '/etc'], check=True)
    for folder in ('/usr/libexec', '/var/spool', '/var/lib', '/run'):
        mount_tmpfs(folder, '16m')
    os.makedirs('/var/lib/opensmtpd/empty', 0o711)
    os.makedirs('/usr/libexec/opensmtpd')
    subprocess.run(['mount', '--bind', root + '/usr/libexec/opensmtpd', '/usr/libexec/opensmtpd'], check=True)
    far_mail = os.path.join(mail.folder, 'far')
    os.mkdir(far_mail)
    os.chown(far_mail, ACCOUNTS['far'], ACCOUNTS['far'])
    port = free_port()
    path = mail.write('far.conf', CONFIG.format(port=port, mail=far_mail))
    log = open(os.path.join(mail.folder, 'far.log'), 'w+')
    server = subprocess.Popen([root + '/usr/sbin/smtpd', '-d', '-f', path], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    def said():
        return open(log.name).read()
    def answers():
        with socket.socket() as probe:
            return probe.connect_ex(('127.0.0.1', port)) == 0
    try:
        wait_until(lambda: server.poll() is not None or answers(), lambda: 'OpenSMTPD; it says:\n' + said())
        if server.poll() is not None:
            skip('OpenSMTPD does not start: ' + said()[-300:].replace('\n', ' '))
        mail.set(f'relayhost = [127.0.0.1]:{port}\n')
        mail.start()
        mail.send('alice@example.test', ['yes@far.test', 'also@far.test', 'no@far.test'], 'Subject: to OpenSMTPD\n\n' + BODY)
        mail.wait_for_log(r'to=<(yes|also)@far\.test>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:\d+, .*dsn=2\.0\.0, status=sent \(250 2\.0\.0 \w+ Message accepted for delivery\)', 2)
        expect_match(r'said:\s+524\s+5\.2\.4\s+Mailing\s+list\s+expansion\s+problem:\s+<no@far\.test>', mail.wait_for_mail('alice')[0], 'the bounce')

        def arrived():
            return glob.glob(far_mail + '/new/*')
        for path in wait_until(lambda: len(arrived()) == 2 and arrived(), lambda: f'two copies; OpenSMTPD says:\n{said()[-2000:]}'):
            with open(path) as f:
                expect(f.read().split('\n\n', 1)[1], BODY, 'the text')
        for i in range(30):
            mail.send('alice@example.test', ['many@far.test'], f'Subject: {i}\n\nx\n')
        mail.wait_for_empty_queue()
        wait_until(lambda: len(arrived()) == 32, lambda: f'32 copies, there are {len(arrived())}')
    finally:
        server.terminate()
        server.wait()
