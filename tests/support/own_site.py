"""A machine of the test's own, as far as a mail server sees one: /etc, the queue, homes and the network belong to this
process and its children, at the paths that everybody's instructions name (/etc/postfix/main.cf, /var/spool/postfix),
and vanish with it. Needs root."""
import os, re, shutil, subprocess, tempfile

from dns_zone import Zone
from own_mounts import in_own_mount_namespace, mount_tmpfs
from instance import BIN, ROOT, LIMIT, Dialogue, Failed, inner_services, skip, wait_until


class Site:
    """host, users: what the machine is called and who has an account; addresses: of its network interface; rows: of
    its name server"""

    def __init__(self, host, users, addresses, rows):
        in_own_mount_namespace(network=True)
        upper = tempfile.mkdtemp(prefix='ekiden-site-', dir='/var/tmp')
        self.folder = upper
        mount_tmpfs(upper, '1g')
        os.mkdir(f'{upper}/changes')
        os.mkdir(f'{upper}/work')
        layers = f'lowerdir=/etc,upperdir={upper}/changes,workdir={upper}/work'
        mounted = subprocess.run(['mount', '-t', 'overlay', 'overlay', '-o', layers, '/etc'], capture_output=True,
                                 text=True)
        if mounted.returncode:
            skip('cannot lay a file system over /etc: ' + mounted.stderr.strip())
        for folder, size in (('/var/spool', '512m'), ('/var/lib', '16m'), ('/var/mail', '16m'), ('/home', '64m'),
                             ('/run', '16m'), ('/var/log', '16m')):
            mount_tmpfs(folder, size)
        os.chmod('/var/mail', 0o1777)
        for address in addresses:
            subprocess.run(['ip', 'address', 'add', address, 'dev', 'lo'], check=True)
        self.write('/etc/resolv.conf', 'nameserver 127.0.0.1\n')
        self.write('/etc/hosts', f'127.0.0.1 localhost\n::1 localhost\n{addresses[0].split("/")[0]} {host}\n')
        self.zone = Zone(rows, port=53)
        for group in ('postfix', 'postdrop'):
            self.sh(f'getent group {group} >/dev/null || groupadd -r {group}')
        self.sh('id postfix >/dev/null 2>&1 || '
                'useradd -r -g postfix -d /var/spool/postfix -s /usr/sbin/nologin postfix')
        for user in users:
            self.sh(f'useradd -m {user}')
        shutil.rmtree('/etc/postfix', ignore_errors=True)
        os.mkdir('/etc/postfix')
        os.makedirs('/var/lib/postfix')
        self.sh('chown postfix /var/lib/postfix')
        os.makedirs('/etc/init.d', exist_ok=True)
        # The init script of the package, with the programs where they were built.
        with open(os.path.join(ROOT, 'packaging', 'init')) as f:
            script = f.read().replace('PATH=/usr/sbin', f'PATH={BIN}:/usr/sbin')
            self.write('/etc/init.d/postfix', script.replace('/usr/sbin/ekiden', f'{BIN}/ekiden'))
        os.chmod('/etc/init.d/postfix', 0o755)
        self.log_offset = 0

    def write(self, path, text):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.islink(path):
            os.unlink(path)
        with open(path, 'w') as f:
            f.write(text)

    def configure(self, main, master=''):
        """a new main.cf and master.cf, and the server started; what `postfix start` said"""
        self.sh('postfix stop', check=False)
        self.write('/etc/postfix/main.cf', main)
        self.write('/etc/postfix/master.cf', 'smtp inet n - n - - smtpd\n' + inner_services() + master)
        if not os.path.exists('/etc/aliases.db'):
            self.write('/etc/aliases', 'postmaster: root\n')
            self.sh('newaliases', check=False)
        self.log_offset = len(self.whole_log())
        # On a terminal, as whoever changes a configuration sits at one: hints go there.
        return self.sh("script -qec 'postfix start' /dev/null", check=False)

    def sh(self, script, check=True, input=None):
        """a line as it is typed into root's shell"""
        p = subprocess.run(['sh', '-c', script], input=input, capture_output=True, text=True, errors='replace',
                           timeout=LIMIT * 2, cwd='/root',
                           env=dict(os.environ, PATH=f'{BIN}:{os.environ["PATH"]}:/usr/sbin:/sbin', LC_ALL='C.UTF-8'))
        p.said = p.stdout + p.stderr
        if check and p.returncode:
            raise Failed(f'{script}: exit {p.returncode}\n{p.said}')
        return p

    def whole_log(self):
        try:
            with open('/var/log/mail.log', errors='replace') as f:
                return f.read()
        except FileNotFoundError:
            return ''

    def log(self):
        return self.whole_log()[self.log_offset:]

    def wait_for_log(self, pattern):
        return wait_until(lambda: re.search(pattern, self.log(), re.M),
                          lambda: f'log line {pattern!r}; the log:\n{self.log()[-4000:]}')

    def dialogue(self, source='127.0.0.1', host='127.0.0.1', port=25):
        return Dialogue(port, host=host, source=source)

    def mailbox(self, user):
        folder = f'/home/{user}/Maildir/new'
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        return [open(os.path.join(folder, n), errors='replace').read() for n in names]

    def wait_for_mail(self, user, count=1):
        return wait_until(lambda: len(m := self.mailbox(user)) >= count and m,
                          lambda: f'mail for {user}; the log:\n{self.log()[-4000:]}')

    def close(self):
        self.sh('postfix stop', check=False)
        subprocess.run(['umount', '-l', self.folder], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)
