"""pipe(8) with chroot=: the command sees another root; a jail that is not there defers the mail."""
import os, shutil, subprocess
from instance import Instance, expect_match, skip

if os.geteuid():
    skip('only root can change the root')
with Instance(start=False, main='transport_maps = inline:{ jail.test=jailed: nojail.test=missing: }\n') as mail:
    jail = os.path.join(mail.folder, 'jail')
    libraries = [w for w in subprocess.run(['ldd', '/bin/sh'], stdout=subprocess.PIPE, text=True, check=True).stdout.split() if w.startswith('/')]
    for path in ['/bin/sh', *libraries]:
        os.makedirs(jail + os.path.dirname(path), exist_ok=True)
        shutil.copy(os.path.realpath(path), jail + path)
    with open(os.path.join(mail.config, 'master.cf'), 'a') as f:
        f.write(f'jailed unix - n n - - pipe user=nobody chroot={jail} directory=/bin argv=/bin/sh -c {{pwd; echo /*; exit 69}}\n'
                f'missing unix - n n - - pipe user=nobody chroot={jail}/no argv=/bin/sh -c {{exit 0}}\n')
    mail.start()
    mail.send(to=['x@jail.test'])
    line, = mail.wait_for_log(r'to=<x@jail\.test>.*status=bounced.*')
    expect_match(r'Command output: /bin (/bin|/lib|/lib64|/usr| )+\)', line.group(0), 'what the command saw')
    mail.send(to=['x@nojail.test'])
    mail.wait_for_log(r'to=<x@nojail\.test>.*dsn=4\.3\.0, status=deferred \(temporary failure\)')
