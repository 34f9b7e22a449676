"""Cyrus SASL's own programs for scenarios: saslpasswd2, and a saslauthd that answers, dies or hangs when asked to."""
import base64, os, shutil, signal, socket, subprocess, threading

from instance import skip, wait_until

ENABLED = 'smtpd_sasl_auth_enable = yes\nsmtpd_sasl_local_domain = example.test\n'


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            skip(f'{program} is not installed')


def add_user(database, name, password, realm='example.test', owner=None):
    os.makedirs(os.path.dirname(database), exist_ok=True)
    subprocess.run(['saslpasswd2', '-p', '-c', '-f', database, '-u', realm, name], input=password + '\n', text=True, check=True, capture_output=True)
    if owner:
        shutil.chown(database, owner)


def smtpd_conf(mail, text, folder='sasl'):
    """an smtpd.conf beside main.cf, where Debian's Postfix looks for it"""
    os.makedirs(os.path.join(mail.config, folder), exist_ok=True)
    return mail.write(f'{folder}/smtpd.conf', text)


def plain(name, password, authzid=''):
    return base64.b64encode(f'{authzid}\0{name}\0{password}'.encode()).decode()


def b64(text):
    return base64.b64encode(text.encode()).decode()


def sasl_pids(mail):
    return [pid for pid, line in mail.children().items() if ' sasl ' in line]


class Saslauthd:
    """The real one, asking PAM's or the system's passwords (`-a shadow`): in a mount namespace of the scenario's own."""

    def __init__(self, folder, mechanism='shadow', processes=2):
        need('saslauthd')
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        self.socket = os.path.join(folder, 'mux')
        self.arguments = ['saslauthd', '-d', '-a', mechanism, '-m', folder, '-n', str(processes)]
        self.process = None
        self.start()

    def start(self):
        # -d: in the foreground; a process group of its own holds the master and its children
        self.process = subprocess.Popen(self.arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_until(lambda: os.path.exists(self.socket) and self.answers(), 'the socket of saslauthd')

    def answers(self):
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(self.socket)
                return True
            except OSError:
                return False

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def kill(self):
        if self.process:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
            self.process.wait()
            self.process = None
            for name in os.listdir(os.path.dirname(self.socket)):
                os.unlink(os.path.join(os.path.dirname(self.socket), name))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class FalseSaslauthd(threading.Thread):
    """Listens where saslauthd would and does what `act(connection)` does, each time."""

    def __init__(self, path, act):
        super().__init__(daemon=True)
        self.act = act
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.chmod(os.path.dirname(path), 0o755)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.listen(100)
        self.kept = []
        self.start()

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            self.kept.append(connection)
            self.act(connection)
