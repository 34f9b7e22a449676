"""smtp-sink with a certificate and a user: Ekiden as client, and smtp-source, encrypt and log in, and what arrives that way is whole."""
import shutil, socket, subprocess, tempfile
from certificates import Certificates
from instance import Instance, expect, expect_match, free_port, tool, wait_until

folder = tempfile.mkdtemp(prefix='ekiden-', dir='/var/tmp')
made = Certificates(folder)
made.make('far', cn='far.test')
port, wrapped = free_port(), free_port()
sinks = []


def sink(*args):
    with open(folder + '/sink', 'a') as said:
        sinks.append(subprocess.Popen([tool('smtp-sink'), *args, '100'], stderr=said))
    at = args[-1].rsplit(':', 1)

    def listens():
        with socket.socket() as s:
            return s.connect_ex((at[0], int(at[1]))) == 0
    wait_until(listens, f'the sink on {args[-1]}')


def source(*args, at):
    return subprocess.run([tool('smtp-source'), '-s', '4', '-m', '20', '-f', 'a@client.test', '-t', 'b@far.test', *args, f'127.0.0.1:{at}'],
                          capture_output=True, text=True, timeout=60)


def check(sent, received):
    return subprocess.run([tool('smtp-sink'), '--ledger-check', sent, received], capture_output=True, text=True, timeout=60)


try:
    with Instance(folder=folder, main=f'''\
relayhost = [127.0.0.1]:{port}
smtp_tls_security_level = encrypt
smtp_tls_loglevel = 1
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = inline:{{ [127.0.0.1]:{port}=test:1:2 }}
smtp_sasl_security_options =
''') as mail:
        sent, received = folder + '/sent', folder + '/received'
        with open(received, 'w'):
            pass
        who = ['-u', mail.owner] if mail.owner == 'mail' else []
        common = [*who, '--certificate', made.path('far.both'), '--user', 'test:1:2', '--ledger', received]
        sink(*common, '-v', f'127.0.0.1:{port}')
        sink(*common, '--tls-wrapper', f'127.0.0.1:{wrapped}')

        # through the server, and straight with content of many TLS records
        login = ('--auth', 'plain', '--user', 'test:1:2', '--ledger', sent)
        for args, at in ((('--ledger', sent, '-l', '50000'), mail.port),
                         (('--starttls', '-d', '-l', '300000', *login), port),
                         (('--tls-wrapper', '--auth', 'login', *login[2:], '-d'), wrapped)):
            done = source(*args, at=at)
            expect((done.returncode, done.stderr), (0, ''), f'smtp-source {args}')
        wait_until(lambda: open(received).read().count('\n') >= 60, 'all messages at the sinks')
        mail.wait_for_empty_queue()
        proof = check(sent, received)
        expect((proof.returncode, proof.stdout),
               (0, '60 acknowledged: 60 arrived once and unchanged, 0 lost, 0 duplicate, 0 changed; 0 unasked\n'), 'the proof')
        expect_match('Untrusted TLS connection established to 127.0.0.1', mail.log(), 'TLS in the log')

        # the wrong password, and none at all
        for args, words in ((('--starttls', '--auth', 'plain', '--user', 'test:3'), 'login rejected: 535 5.7.8 '), (('--starttls',), 'sender rejected: 530 5.7.0 ')):
            done = source(*args, at=port)
            expect((done.returncode, words in done.stderr), (1, True), f'smtp-source {args}: {done.stderr}')
        expect_match('TLSv1.3 with cipher ', open(folder + '/sink').read(), 'what smtp-sink -v says')
finally:
    for process in sinks:
        process.terminate()
        process.wait(10)
    shutil.rmtree(folder, ignore_errors=True)
