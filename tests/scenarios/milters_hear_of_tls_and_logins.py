"""What milters are told of a session with TLS and a login, in the macros that are sent if nothing is set; the greeting is said anew after
STARTTLS; and another client's milters are those that smtpd_milter_maps names."""
import os, shutil, subprocess, tempfile

from certificates import Certificates
from instance import Instance, expect, expect_match, tool
from played_milter import Milter, REJECTED

MAIN = '''\
smtpd_tls_security_level = may
smtpd_tls_chain_files = {chain}
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = ekiden
smtpd_sasl_local_domain = example.test
smtpd_peername_lookup = no
smtpd_milters = inet:127.0.0.1:{port}
smtpd_milter_maps = inline:{{ {{ 127.0.0.9 = DISABLE }} {{ 127.0.0.8 = inet:localhost:{other} }} }}
milter_default_action = tempfail
'''


def main():
    folder = tempfile.mkdtemp(prefix='ekiden-', dir='/var/tmp')
    made = Certificates(folder)
    made.make('ca', cn='Test CA')
    made.make('ec', issuer='ca')
    try:
        with Milter() as milter, Milter() as other, \
             Instance(main=MAIN.format(chain=made.path('ec.both'), port=milter.port, other=other.port), folder=folder, start=False) as mail:
            subprocess.run([tool('ekiden'), 'passwd', '-c', mail.config, '-p', 'alice@example.test'], input='secret\n', check=True, text=True, timeout=30)
            mail.start()
            milter.play(steps=REJECTED)
            with mail.smtp() as s:
                s.ehlo('before.test')
                s.starttls()
                s.ehlo('after.test')
                s.login('alice', 'secret')
                s.sendmail('a@remote.test', ['bob@example.test'], 'Subject: x\n\nx\n')
            milter.wait_for_end()
            heard = '\n'.join(milter.heard)
            expect_match(r'^D H\nH before\.test,\nA\nD H \{tls_version\}=TLSv1\.3 \{cipher\}=TLS_AES_256_GCM_SHA384 \{cipher_bits\}=256\nH after\.test,\n'
                         r'D M \{auth_type\}=\S+ \{auth_authen\}=alice@example\.test \{mail_addr\}=a@remote\.test \{mail_host\}=remote\.test \{mail_mailer\}=smtp\nM <a@remote\.test>',
                         heard, 'what the milter heard')
            expect(len(other.heard), 0, 'packets that the milter of another client heard')

            with mail.dialogue(source='127.0.0.8') as d:
                d.say('QUIT')
            other.wait_for_end()
            expect_match(r'^C \[127\.0\.0\.8\] family=4 port=PORT address=127\.0\.0\.8,$', '\n'.join(other.heard), 'what the milter of another client heard')
            before = milter.connections, other.connections
            with mail.dialogue(source='127.0.0.9') as d:
                d.say('QUIT')
            expect((milter.connections, other.connections), before, 'milters of a client that has none')
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
