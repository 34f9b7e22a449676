"""Keys and certificates for one scenario, made when it runs, and TLS clients that believe in them."""
import os, shutil, ssl, subprocess

from instance import skip


class Certificates:
    """make('name', cn='…', issuer='ca'): folder/name.pem (certificate), name.key, name.both (key and certificate)"""

    def __init__(self, folder):
        if not shutil.which('openssl'):
            skip('openssl is not installed')
        self.folder = os.path.join(folder, 'certificates')
        os.makedirs(self.folder, exist_ok=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *arguments):
        subprocess.run(['openssl', *arguments], check=True, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def make(self, name, cn='mail.example.test', issuer=None, kind='ec'):
        key = ['-newkey', 'rsa:2048'] if kind == 'rsa' else ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
        san = ['-addext', f'subjectAltName=DNS:{cn}']
        if issuer:
            self.run('req', *key, '-nodes', '-subj', f'/CN={cn}', '-keyout', f'{name}.key', '-out', f'{name}.csr')
            self.run('x509', '-req', '-in', f'{name}.csr', '-CA', f'{issuer}.pem', '-CAkey', f'{issuer}.key', '-CAcreateserial', '-days', '2', '-out', f'{name}.pem')
        else:
            self.run('req', '-x509', *key, *san, '-nodes', '-days', '2', '-subj', f'/CN={cn}', '-keyout', f'{name}.key', '-out', f'{name}.pem')
        with open(self.path(name + '.both'), 'w') as out:
            for part in ('.key', '.pem'):
                with open(self.path(name + part)) as f:
                    out.write(f.read())
        os.chmod(self.path(name + '.key'), 0o600)
        os.chmod(self.path(name + '.both'), 0o600)
        return self.path(name + '.both')

    def put(self, name, target):
        """installs name.both as `target`, at one stroke, as programs that renew certificates do"""
        with open(target + '.new', 'w') as out, open(self.path(name + '.both')) as f:
            out.write(f.read())
        os.chmod(target + '.new', 0o600)
        os.rename(target + '.new', target)

    def client(self, trusts=None, certificate=None):
        """an ssl context; without `trusts` it believes everybody"""
        context = ssl.create_default_context(cafile=self.path(trusts + '.pem') if trusts else None)
        if not trusts:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(self.path(certificate + '.pem'), self.path(certificate + '.key'))
        return context

    def fingerprint(self, name, digest='sha256'):
        out = subprocess.run(['openssl', 'x509', '-in', self.path(name + '.pem'), '-noout', '-fingerprint', '-' + digest], check=True, capture_output=True, text=True).stdout
        return out.strip().split('=')[1]
