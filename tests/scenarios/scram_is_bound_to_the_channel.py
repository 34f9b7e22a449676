"""SCRAM-SHA-256-PLUS inside TLS: a login counts on its own connection only, and a client that was not shown -PLUS is a victim."""
import shutil, ssl, subprocess
import scram
from instance import Instance, expect, skip, tool

if not shutil.which('openssl'):
    skip('openssl is not installed')
MAIN = '''\
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = ekiden
smtpd_tls_security_level = may
smtpd_tls_chain_files = $config_directory/server.pem
'''


def connect(mail, tls=True):
    s = mail.smtp()
    s.ehlo()
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        expect(s.starttls(context=context)[0], 220, 'STARTTLS')
        s.ehlo()
    return s


with Instance(MAIN, start=False) as mail:
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-sha256', '-nodes', '-days', '30', '-subj', '/CN=mail.example.test',
                    '-keyout', mail.config + '/key.pem', '-out', mail.config + '/cert.pem'], check=True, capture_output=True)
    mail.write('server.pem', open(mail.config + '/key.pem').read() + open(mail.config + '/cert.pem').read())
    subprocess.run([tool('ekiden'), 'passwd', '-c', mail.config, '-p', 'alice'], input='pencil\n', text=True, check=True, timeout=30)
    mail.start()

    with connect(mail, tls=False) as s:
        expect(s.esmtp_features['auth'].split(), ['SCRAM-SHA-256', 'PLAIN', 'LOGIN'], 'the mechanisms without TLS')
        code, text = scram.login(s, 'alice', 'pencil', binding=('tls-server-end-point', b'x' * 32))
        expect((code, text), (535, '5.7.8 Error: authentication failed: no mechanism available'), '-PLUS without TLS')
        expect(scram.login(s, 'alice', 'pencil', gs2='y,,')[0], 235, '"y" where nothing was hidden')
    with connect(mail) as s:
        expect(s.esmtp_features['auth'].split(), ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN', 'LOGIN'], 'the mechanisms inside TLS')
        right = scram.end_point(s)
        failures = [
            dict(binding=('tls-server-end-point', bytes(32)), what='another channel'),
            dict(binding=('tls-exporter', right), what='data of another kind'),
            dict(binding=('tls-unique', right), what='a kind that is not supported'),
            dict(gs2='y,,', what='a client that was not shown -PLUS'),
            dict(gs2='n,,', mechanism='SCRAM-SHA-256-PLUS', what='-PLUS without a binding'),
            dict(binding=('tls-server-end-point', right), password='Pencil', what='a wrong password'),
        ]
        for failure in failures:
            what, password = failure.pop('what'), failure.pop('password', 'pencil')
            expect(scram.login(s, 'alice', password, **failure)[0], 535, what)
        expect(scram.login(s, 'alice', 'pencil', binding=('tls-server-end-point', right))[0], 235, 'the right binding')
    with connect(mail) as s:
        expect(scram.login(s, 'alice', 'pencil')[0], 235, 'SCRAM of a client that knows no bindings')

    # GNU SASL takes tls-exporter.
    if shutil.which('gsasl'):
        for password, is_right in (('pencil', True), ('wrong', False)):
            p = subprocess.run(['gsasl', '--smtp', '--starttls', '--x509-ca-file=', '--mechanism=SCRAM-SHA-256-PLUS', '-a', 'alice', '-z', '', '-p', password,
                                f'--connect=127.0.0.1:{mail.port}'], input='', capture_output=True, text=True, timeout=30)
            expect(p.returncode == 0, is_right, f'gsasl with {password}: {p.stdout}{p.stderr}')
