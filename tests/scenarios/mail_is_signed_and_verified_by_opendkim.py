"""OpenDKIM signs what is submitted, over SMTP and by sendmail, on a socket in the file system; another one, on a TCP port, verifies the
signatures when the mail comes in again."""
import os, subprocess, sys

from instance import Instance, expect_match, free_port, skip, wait_until

PROGRAM = '/usr/sbin/opendkim'


def private_key(folder):
    """the file; and what the DNS would say about it"""
    path = os.path.join(folder, 'key')
    subprocess.run(['openssl', 'genrsa', '-traditional', '-out', path, '1024'], check=True, capture_output=True)
    public = subprocess.run(['openssl', 'rsa', '-in', path, '-pubout'], check=True, capture_output=True, text=True).stdout
    return path, 'v=DKIM1; k=rsa; p=' + ''.join(public.splitlines()[1:-1])


def opendkim(folder, name, config):
    path = os.path.join(folder, name)
    with open(path + '.conf', 'w') as f:
        f.write('Syslog no\nUMask 000\nCanonicalization relaxed/simple\nRequireSafeKeys no\nPidFile ' + path + '.pid\n' + config)
    return subprocess.Popen([PROGRAM, '-f', '-x', path + '.conf'], stdout=sys.stderr, stderr=sys.stderr)


def main():
    if not os.path.exists(PROGRAM):
        skip('opendkim is not installed')
    verifier = free_port()
    with Instance(start=False) as mail, Instance(f'smtpd_milters = inet:localhost:{verifier}\nmilter_default_action = tempfail\n', start=False) as far:
        folder = os.path.join(mail.folder, 'dkim')
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        key, public = private_key(folder)
        with open(key + '.public', 'w') as f:
            f.write(f'sel._domainkey.example.test {public}\n')
        mail.set(f'smtpd_milters = unix:{folder}/sign.sock\nnon_smtpd_milters = unix:../dkim/sign.sock\nrelayhost = [127.0.0.1]:{far.port}\n'
                 'virtual_mailbox_domains =\nmilter_default_action = tempfail\n')
        daemons = [opendkim(folder, 'sign', f'Mode s\nDomain example.test\nSelector sel\nKeyFile {key}\nSocket local:{folder}/sign.sock\n'),
                   opendkim(folder, 'verify', f'Mode v\nTestPublicKeys {key}.public\nAlwaysAddARHeader yes\nAuthservID verifier.test\nSocket inet:{verifier}@127.0.0.1\n')]
        try:
            wait_until(lambda: os.path.exists(f'{folder}/sign.sock') and f':{verifier:04X} ' in open('/proc/net/tcp').read(), 'opendkim')
            far.start()
            mail.start()
            mail.send(sender='bob@example.test', message='From: bob@example.test\nTo: alice@example.test\nSubject: signed\n\nHello\n.\nÜmlaut\n\n\n'.encode())
            mail.run('sendmail', '-f', 'bob@example.test', 'carol@example.test', input='From: bob@example.test\nSubject: local\n\nHello\n')
            mail.send(sender='x@other.test', to=('bob@example.test',), message='From: x@other.test\nSubject: foreign\n\nHello\n')
            for user, subject in (('alice', 'signed'), ('carol', 'local')):
                text = far.wait_for_mail(user)[0]
                expect_match(rf'^DKIM-Signature: v=1; .*d=example\.test; s=sel;.*^Subject: {subject}', text, f'the signature of the mail for {user}')
                expect_match(r'^Authentication-Results: verifier\.test;\s+dkim=pass', text, f'what was found out about the mail for {user}')
            foreign = far.wait_for_mail('bob')[0]
            if 'DKIM-Signature' in foreign:
                raise AssertionError('mail of another domain is signed: ' + foreign)
            expect_match(r'^Authentication-Results: verifier\.test;\s+dkim=none', foreign, 'what was found out about foreign mail')
        finally:
            for daemon in daemons:
                daemon.terminate()
                daemon.wait()


main()
