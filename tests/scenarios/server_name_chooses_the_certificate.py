"""tls_server_sni_maps: chains in a table made by postmap -F and in files; what is not found gets the usual chain."""
import shutil, socket, ssl, tempfile
from certificates import Certificates
from instance import Dialogue, Instance, expect, expect_match

folder = tempfile.mkdtemp(prefix='ekiden-', dir='/var/tmp')
made = Certificates(folder)
for name, cn in (('usual', 'mail.example.test'), ('one', 'one.test'), ('two', 'two.test')):
    made.make(name, cn=cn)
try:
    with Instance(main=f'''
smtpd_tls_security_level = may
smtpd_tls_chain_files = {made.path('usual.both')}
smtpd_tls_loglevel = 1
tls_server_sni_maps = lmdb:${{config_directory}}/names, inline:{{ {{ .sub.two.test = {made.path('two.key')}, {made.path('two.pem')} }} }}
''', files={'names': f'one.test {made.path("one.both")}\n'}, start=False, folder=folder) as mail:
        mail.run('postmap', '-F', f'lmdb:{mail.config}/names')
        mail.start()

        def shown(name):
            with Dialogue(mail.port) as d:
                d.say('EHLO client.test')
                d.say('STARTTLS')
                with made.client().wrap_socket(d.socket, server_hostname=name) as inside:
                    return inside.getpeercert(binary_form=True)

        def certificate(name):
            with open(made.path(name + '.pem')) as f:
                return ssl.PEM_cert_to_DER_cert(f.read())
        for name, want in (('one.test', 'one'), ('ONE.test', 'one'), ('a.sub.two.test', 'two'), ('two.test', 'usual'), ('x.one.test', 'usual'), ('nowhere.test', 'usual'), (None, 'usual')):
            expect(shown(name) == certificate(want), True, f'the certificate for {name}')
        mail.wait_for_log(r'Anonymous TLS connection established from localhost\[127.0.0.1\] to one.test: TLSv1.3')
        mail.wait_for_log(r'TLS SNI nowhere.test from localhost\[127.0.0.1\] not matched, using default chain')
finally:
    shutil.rmtree(folder, ignore_errors=True)
