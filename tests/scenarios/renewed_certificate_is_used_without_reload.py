"""A certificate that was renewed is shown to the next clients without a reload; one that cannot be used leaves the old one
in force, with one warning; one that comes late is used when it comes. Nothing of it disturbs a session."""
import os, shutil, ssl, tempfile
from certificates import Certificates
from instance import Dialogue, Instance, expect, wait_until

folder = tempfile.mkdtemp(prefix='ekiden-', dir='/var/tmp')
made = Certificates(folder)
for name in ('first', 'second', 'third'):
    made.make(name)
live = os.path.join(folder, 'live.pem')
made.put('first', live)
try:
    with Instance(main=f'smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {live}\n', folder=folder) as mail:
        def shown():
            with mail.smtp() as s:
                s.starttls(context=made.client())
                return s.sock.getpeercert(binary_form=True)

        def certificate(name):
            with open(made.path(name + '.pem')) as f:
                return ssl.PEM_cert_to_DER_cert(f.read())
        expect(shown(), certificate('first'), 'the first certificate')
        with mail.smtp() as running:
            running.starttls(context=made.client())
            made.put('second', live)
            wait_until(lambda: shown() == certificate('second'), 'the second certificate')
            expect(running.noop()[0], 250, 'a session that began with the first')
        mail.wait_for_log('TLS certificates and keys were read anew')

        # The key of one and the certificate of another.
        with open(live + '.new', 'w') as out, open(made.path('first.key')) as key, open(made.path('third.pem')) as cert:
            out.write(key.read() + cert.read())
        os.rename(live + '.new', live)
        warning = r'warning: error loading chain from \S+live.pem: key and certificate do not match: the certificates and keys read before stay in force'
        wait_until(lambda: shown() == certificate('second') and 'do not match' in mail.log(), 'the warning')
        for _ in range(5):
            expect(shown(), certificate('second'), 'the certificate in force')
        expect(len(mail.wait_for_log(warning)), 1, 'warnings')

        made.put('third', live)
        wait_until(lambda: shown() == certificate('third'), 'the third certificate')

        # Gone, and a reload: mail still comes, in plain text; then it is back.
        os.unlink(live)
        mail.run('postfix', 'reload')
        mail.wait_for_log(r'smtpd\[\d+\]: warning: error opening chain file: \S+live.pem: No such file or directory: disabling TLS support')

        def without():
            with Dialogue(mail.port) as d:
                return d.say('EHLO client.test') and d.say('STARTTLS')
        wait_until(lambda: without() == '454 4.7.0 TLS not available due to local problem', 'the answer without a certificate')
        mail.send()
        mail.wait_for_mail('alice')
        made.put('first', live)
        wait_until(lambda: without().startswith('220'), 'TLS with the certificate that came late')
        expect(shown(), certificate('first'), 'the certificate that came late')
finally:
    shutil.rmtree(folder, ignore_errors=True)
