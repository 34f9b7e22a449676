"""smtp-source over STARTTLS, on a port that is TLS from the first byte, and with logins: what it says it did is what arrived."""
import re, shutil, subprocess, tempfile
from certificates import Certificates
from instance import Instance, expect, expect_match, free_port, tool

MAIN = '''\
smtpd_tls_security_level = may
smtpd_tls_chain_files = {chain}
smtpd_tls_loglevel = 1
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = ekiden
smtpd_sasl_local_domain = example.test
smtpd_tls_auth_only = yes
'''
PASSED = r'\d+\.\d+ s, \d+ per second; ms: 50% [\d.]+, 90% [\d.]+, 99% [\d.]+, 100% [\d.]+\n'
folder = tempfile.mkdtemp(prefix='ekiden-', dir='/var/tmp')
made = Certificates(folder)
made.make('ca', cn='Test CA')
made.make('ec', issuer='ca')
wrapped = free_port()


def source(*args, port):
    return subprocess.run([tool('smtp-source'), '-s', '3', '-m', '12', '-f', 'a@client.test', *args, f'127.0.0.1:{port}'],
                          capture_output=True, text=True, timeout=60)


try:
    with Instance(main=MAIN.format(chain=made.path('ec.both')), folder=folder, start=False,
                  master=f'127.0.0.1:{wrapped} inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n') as mail:
        made_user = subprocess.run([tool('ekiden'), 'passwd', '-c', mail.config, '-p', 'alice@example.test'], input='secret\n',
                                   capture_output=True, text=True, timeout=30)
        expect((made_user.returncode, made_user.stderr), (0, ''), 'ekiden passwd')
        mail.start()
        login = ('--auth', 'plain', '--user', 'alice:secret')

        # messages of one record and of many, over connections of their own and kept ones
        arrived = 0
        for args, port in ((('--starttls',), mail.port), (('--tls-wrapper',), wrapped),
                           (('--starttls', '-d', '-l', '100000', *login), mail.port),
                           (('--tls-wrapper', '--auth', 'login', '--user', 'alice:secret'), wrapped)):
            done = source('-t', 'alice@example.test', '--latency', *args, port=port)
            expect((done.returncode, done.stderr), (0, ''), f'smtp-source {args}')
            expect_match('^12 messages in ' + PASSED + '$', done.stdout, f'what smtp-source {args} says')
            arrived += 12
            expect(len(mail.wait_for_mail('alice', arrived)), arrived, f'messages after {args}')

        # logins alone: no message, and a wrong password is told
        done = source('--starttls', '--no-mail', '--latency', *login, port=mail.port)
        expect((done.returncode, done.stderr), (0, ''), 'logins')
        expect_match('^12 sessions in ' + PASSED + '$', done.stdout, 'what is said about logins')
        done = source('--starttls', '--no-mail', '--auth', 'plain', '--user', 'alice:wrong', port=mail.port)
        expect(done.returncode, 1, 'exit status after a wrong password')
        expect_match(r'fatal: login rejected: 535 5\.7\.8 ', done.stderr, 'what is said about a wrong password')
        done = source('--no-mail', *login, port=mail.port)
        expect((done.returncode, 'login rejected' in done.stderr), (1, True), 'a login without TLS where TLS is demanded')
        # TLS where there is none to be had
        done = source('--tls-wrapper', port=mail.port)
        expect(done.returncode, 1, 'exit status on a port that is not TLS')
        expect_match('fatal: TLS: wrong version number', done.stderr, 'what is said about a port that is not TLS')
        expect(len(re.findall('TLS connection established from', mail.log())) >= 12 * 5 - 9, True, 'TLS connections in the log')
finally:
    shutil.rmtree(folder, ignore_errors=True)
