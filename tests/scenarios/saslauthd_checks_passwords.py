"""pwcheck_method: saslauthd through the real one: right, wrong, killed in mid-session and back again, stopped and continued."""
import os, signal, subprocess
from cyrus import ENABLED, Saslauthd, b64, need, plain, smtpd_conf
from instance import Instance, expect, expect_match
from own_mounts import in_own_mount_namespace, mount_tmpfs

need('saslauthd', 'testsaslauthd', 'openssl')
in_own_mount_namespace()
with Instance(main=ENABLED, start=False) as mail:
    # a user of the system whose password we know, in an /etc of our own
    upper = os.path.join(mail.folder, 'etc')
    mount_tmpfs(upper, '8m')
    for d in ('up', 'work'):
        os.mkdir(os.path.join(upper, d))
    subprocess.run(['mount', '-t', 'overlay', 'overlay', '-o', f'lowerdir=/etc,upperdir={upper}/up,workdir={upper}/work', '/etc'], check=True)
    with open('/etc/passwd', 'a') as f:
        f.write('ektest:x:4242:4242::/nonexistent:/bin/false\n')
    with open('/etc/shadow', 'a') as f:
        f.write('ektest:' + subprocess.run(['openssl', 'passwd', '-6', 'secret'], capture_output=True, text=True, check=True).stdout.strip() + ':19000:0:99999:7:::\n')

    folder = os.path.join(mail.folder, 'saslauthd')
    smtpd_conf(mail, f'pwcheck_method: saslauthd\nsaslauthd_path: {folder}/mux\nmech_list: PLAIN LOGIN CRAM-MD5\n')
    checked = mail.run('postfix', 'check').stderr
    expect_match(r'smtpd\.conf, line 3: mech_list: mechanism CRAM-MD5 cannot work with pwcheck_method: saslauthd', checked, 'what postfix check says')
    expect_match(r'there is no socket ' + folder, checked, 'what postfix check says')
    smtpd_conf(mail, f'pwcheck_method: saslauthd\nsaslauthd_path: {folder}/mux\nmech_list: PLAIN LOGIN\n')
    mail.start()
    with Saslauthd(folder) as saslauthd:
        tested = subprocess.run(['testsaslauthd', '-f', saslauthd.socket, '-u', 'ektest', '-p', 'secret'], capture_output=True, text=True).stdout
        expect(tested, '0: OK "Success."\n', 'testsaslauthd')
        with mail.dialogue() as c:
            expect_match(r'^250-AUTH PLAIN LOGIN$', c.say('EHLO x'), 'EHLO')
            expect(c.say('AUTH PLAIN ' + plain('ektest', 'wrong')), '535 5.7.8 Error: authentication failed: authentication failure', 'wrong')
            expect(c.say('AUTH LOGIN'), '334 VXNlcm5hbWU6', 'AUTH LOGIN')
            expect(c.say(b64('ektest')), '334 UGFzc3dvcmQ6', 'the name')
            expect(c.say(b64('secret')), '235 2.7.0 Authentication successful', 'the password')
        with mail.dialogue() as c:
            c.say('EHLO x')
            expect(c.say('AUTH LOGIN'), '334 VXNlcm5hbWU6', 'AUTH LOGIN')
            saslauthd.kill()
            expect(c.say(b64('ektest')), '334 UGFzc3dvcmQ6', 'the name, when saslauthd is dead')
            expect(c.say(b64('secret')), '454 4.7.0 Temporary authentication failure: generic failure', 'the password, when saslauthd is dead')
            mail.wait_for_log(r'smtpd\[\d+\]: warning: SASL authentication failure: cannot connect to saslauthd server: (No such file or directory|Connection refused)')
            saslauthd.start()
            expect(c.say('AUTH PLAIN ' + plain('ektest', 'secret')), '235 2.7.0 Authentication successful', 'when saslauthd is back')
        with mail.dialogue() as c:
            c.say('EHLO x')
            saslauthd.signal(signal.SIGSTOP)
            expect(c.say('AUTH PLAIN ' + plain('ektest', 'secret'))[:9], '454 4.7.0', 'when saslauthd stands still')
            saslauthd.signal(signal.SIGCONT)
            expect(c.say('AUTH PLAIN ' + plain('ektest', 'secret')), '235 2.7.0 Authentication successful', 'when saslauthd goes on')
    expect('secret' in mail.log(), False, 'a password in the log')
