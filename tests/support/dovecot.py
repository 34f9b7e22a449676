"""A private Dovecot that decides about logins: auth service only, users in a passwd-file, a Unix socket and a TCP port.

    with Dovecot() as dovecot, Instance(main=dovecot.main()) as mail:

alice@example.test has the password 'secret of alice', bob 'secret of bob'.
"""
import contextlib, os, pwd, shutil, signal, socket, subprocess, tempfile

from instance import LIMIT, Failed, free_port, skip, text_of, wait_until

USERS = {'alice@example.test': 'secret of alice', 'bob': 'secret of bob'}


class Dovecot:
    def __init__(self, users=None, mechanisms='plain login cram-md5 digest-md5 scram-sha-256 anonymous', delay='0 secs', more='', userdb='driver = static\n  args = uid=nobody gid=nogroup home=/nonexistent', protocols=''):
        if os.geteuid() != 0:
            skip('Dovecot starts as root only')
        if not shutil.which('dovecot') or not os.path.exists('/usr/lib/dovecot/auth'):
            skip('Dovecot is not installed')
        self.folder = tempfile.mkdtemp(prefix='ekiden-dovecot-', dir='/var/tmp')
        os.chmod(self.folder, 0o755)
        self.socket = os.path.join(self.folder, 'auth-client')
        self.port = free_port()
        self.log_file = os.path.join(self.folder, 'log')
        with open(os.path.join(self.folder, 'users'), 'w') as f:
            f.writelines(f'{name}:{{PLAIN}}{password}\n' for name, password in (users or USERS).items())
        for name in ('dovecot', 'dovenull'):
            try:
                pwd.getpwnam(name)
            except KeyError:
                skip(f'there is no user {name}')
        self.config = os.path.join(self.folder, 'dovecot.conf')
        with open(self.config, 'w') as f:
            f.write(f'''
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.log_file}
protocols = {protocols}
ssl = no
listen = 127.0.0.1
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_failure_delay = {delay}
passdb {{
  driver = passwd-file
  args = username_format=%u {self.folder}/users
}}
userdb {{
  {userdb}
}}
service auth {{
  unix_listener {self.socket} {{
    mode = 0666
  }}
  inet_listener {{
    address = 127.0.0.1
    port = {self.port}
  }}
}}
service anvil {{
  chroot =
  # whoever fails is not made to wait longer each time
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
{more}
''')
        self.master = None
        self.start()

    def main(self, path=None):
        """main.cf lines that make clients log in here"""
        return f'smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = {path or self.socket}\n'

    def start(self):
        self.master = subprocess.Popen(['dovecot', '-F', '-c', self.config], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.answers, lambda: 'Dovecot; its log:\n' + self.log())

    def answers(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.socket) == 0

    def log(self):
        return text_of(self.log_file)

    def processes(self, name='auth'):
        """the processes of one service (Dovecot starts them when somebody connects)"""
        pid = self.master.pid
        with open(f'/proc/{pid}/task/{pid}/children') as f:
            children = [int(c) for c in f.read().split()]
        return [c for c in children if open(f'/proc/{c}/comm').read().strip() == name]

    def signal_auth(self, number):
        for pid in wait_until(self.processes, "Dovecot's auth process", LIMIT):
            os.kill(pid, number)

    def stop(self):
        if self.master is None:
            return
        # an auth process outlives its master for as long as it has clients; the scenario wants it dead
        workers = self.processes()
        self.master.terminate()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            self.master.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.master.kill()
            self.master.wait()
            raise Failed('Dovecot did not end')
        finally:
            self.master = None
        if os.path.exists(self.socket):
            os.unlink(self.socket)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
