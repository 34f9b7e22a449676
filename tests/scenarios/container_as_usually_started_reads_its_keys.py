"""Root in a container, as they are usually started, has fewer rights than root elsewhere: the key that only root may read is read all the
same, at the start and when it is renewed, a table of passwords too, and users get their mail."""
import os, shutil, smtplib, sys, tempfile
from certificates import Certificates
from instance import MESSAGE, FarServer, Instance, expect, expect_match, skip

RIGHTS = 'chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot mknod audit_write setfcap'
if os.geteuid() != 0:
    skip('needs root, to be one with fewer rights')
if 'EKIDEN_FEWER_RIGHTS' not in os.environ:
    os.environ['EKIDEN_FEWER_RIGHTS'] = '1'
    bounds = ','.join(['-all'] + ['+' + right for right in RIGHTS.split()])
    os.execvp('setpriv', ['setpriv', '--bounding-set', bounds, '--inh-caps', '-all', sys.executable, *sys.argv])

folder = tempfile.mkdtemp(prefix='ekiden-', dir='/var/tmp')
made = Certificates(folder)
made.make('server')
os.chmod(made.path('server.both'), 0o600)
far = FarServer()
try:
    with Instance(main=f'smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {made.path("server.both")}\n'
                       f'relayhost = [127.0.0.1]:{far.port}\nsender_canonical_maps = texthash:${{config_directory}}/canonical\n',
                  files={'canonical': 'a@remote.test first@remote.test\n'}, folder=folder) as mail:
        table = os.path.join(mail.config, 'canonical')
        os.chmod(table, 0o600)
        for number, name in enumerate(('first', 'second'), 1):
            with open(table, 'w') as f:
                f.write(f'a@remote.test {name}@remote.test\n')
            made.make('server')
            os.chmod(made.path('server.both'), 0o600)
            mail.run('postfix', 'reload')
            mail.wait_for_log('reload -- version', number)
            with smtplib.SMTP('127.0.0.1', mail.port) as client:
                client.starttls(context=made.client())
                client.sendmail('a@remote.test', ['alice@example.test', f'x{number}@far.test'], MESSAGE)
            expect_match(f'Return-Path: <{name}@remote.test>', '\n'.join(mail.wait_for_mail('alice', number)), 'what alice gets')
            far.wait_for(number)
        expect('Permission denied' in mail.log(), False, 'trouble in the log')
finally:
    far.close()
    shutil.rmtree(folder, ignore_errors=True)
