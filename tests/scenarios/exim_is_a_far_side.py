"""A real Exim takes our mail, refuses one recipient, and has the text unchanged."""
import glob, os, pwd, re, shutil, signal, subprocess
from instance import Instance, expect, expect_match, free_port, skip, wait_until

exim = shutil.which('exim4') or (os.path.exists('/usr/sbin/exim4') and '/usr/sbin/exim4')
if not exim:
    skip('exim4 is not installed (exim4-daemon-light)')
if os.geteuid() != 0:
    skip('Exim reads a configuration of our own only as root')
CONFIG = '''\
primary_hostname = exim.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
spool_directory = {folder}/spool
log_file_path = {folder}/log-%s
pid_file_path = {folder}/pid
exim_user = Debian-exim
exim_group = Debian-exim
never_users =
smtp_accept_max = 0
acl_smtp_rcpt = recipient
acl_smtp_data = accept
queue_only = true
begin acl
recipient:
  deny local_parts = no
       message = no such person
  accept
begin routers
everybody:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  create_directory
  user = Debian-exim
  return_path_add
'''
BODY = '.\n..\n.dots and a long line ' + 'x' * 900 + '\nlast\n'

port = free_port()
with Instance(main=f'relayhost = [127.0.0.1]:{port}\n') as mail:
    folder = os.path.join(mail.folder, 'exim')
    os.makedirs(folder + '/mail')
    with open(f'{folder}/exim.conf', 'w') as f:
        f.write(CONFIG.format(port=port, folder=folder))
    try:
        user = pwd.getpwnam('Debian-exim')
    except KeyError:
        skip('the user Debian-exim is missing')
    for d in (folder, folder + '/mail'):
        os.chown(d, user.pw_uid, user.pw_gid)
    server = subprocess.Popen([exim, '-C', f'{folder}/exim.conf', '-bdf', '-oX', f'127.0.0.1.{port}'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def deliver():
        # Exim's daemon cannot do it: having become its user, it may no longer name a configuration of ours.
        subprocess.run([exim, '-C', f'{folder}/exim.conf', '-q'], check=True, timeout=60, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: server.poll() is None and os.path.exists(f'{folder}/log-main') and 'listening' in open(f'{folder}/log-main').read() or server.poll() is not None, 'Exim')
        if server.poll() is not None:
            skip('Exim does not start: ' + server.stderr.read().strip()[-200:])
        mail.send('alice@example.test', ['yes@exim.test', 'also@exim.test', 'no@exim.test'], 'Subject: to Exim\n\n' + BODY)
        mail.wait_for_log(r'to=<(yes|also)@exim\.test>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:\d+, .*dsn=2\.0\.0, status=sent \(250- \d+ byte chunk, total \d+ 250 OK id=', 2)
        expect_match(r'said:\s+550\s+no\s+such\s+person', mail.wait_for_mail('alice')[0], 'the bounce')
        deliver()
        copies = glob.glob(f'{folder}/mail/new/*')
        expect(len(copies), 2, 'copies, one for each recipient')
        for path in copies:
            with open(path) as f:
                expect(f.read().split('\n\n', 1)[1], BODY, 'the text')
        for i in range(30):
            mail.send('alice@example.test', ['many@exim.test'], f'Subject: {i}\n\nx\n')
        mail.wait_for_empty_queue()
        deliver()
        expect(len(glob.glob(f'{folder}/mail/new/*')), 32, 'copies')
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
