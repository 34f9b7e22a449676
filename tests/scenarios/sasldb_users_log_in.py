"""Users of a sasldb2 that the real saslpasswd2 wrote log in with every mechanism, at once and without a restart after they
were made; a database that cannot be read is trouble (454), an unknown user is a refusal (535)."""
import os, smtplib, subprocess
from cyrus import ENABLED, add_user, need, plain, sasl_pids, smtpd_conf
from instance import Instance, expect, expect_match
from own_mounts import in_own_mount_namespace, mount_tmpfs

need('saslpasswd2')
in_own_mount_namespace()
# /etc of our own: the database has the place that everybody's has
with Instance(main=ENABLED, start=False) as mail:
    upper = os.path.join(mail.folder, 'etc')
    mount_tmpfs(upper, '8m')
    for d in ('up', 'work'):
        os.mkdir(os.path.join(upper, d))
    subprocess.run(['mount', '-t', 'overlay', 'overlay', '-o', f'lowerdir=/etc,upperdir={upper}/up,workdir={upper}/work', '/etc'], check=True)
    if os.path.exists('/etc/sasldb2'):
        os.unlink('/etc/sasldb2')
    smtpd_conf(mail, 'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256\n')
    checked = mail.run('postfix', 'check').stderr
    expect_match(r'sasl/smtpd\.conf, line 1: pwcheck_method: auxprop: there is no password database /etc/sasldb2', checked, 'what postfix check says')
    add_user('/etc/sasldb2', 'alice', 'secret', owner=mail.owner)
    expect('sasldb2' in mail.run('postfix', 'check').stderr, False, 'what postfix check says when all is well')
    mail.start()

    with mail.dialogue() as c:
        expect_match(r'^250-AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256$', c.say('EHLO x'), 'EHLO, in the order of mech_list')
        expect(c.say('AUTH PLAIN ' + plain('alice', 'wrong')), '535 5.7.8 Error: authentication failed: authentication failure', 'a wrong password')
        expect(c.say('AUTH PLAIN ' + plain('bob', 'secret2')), '535 5.7.8 Error: authentication failed: authentication failure', 'an unknown user')
        add_user('/etc/sasldb2', 'bob', 'secret2')
        expect(c.say('AUTH PLAIN ' + plain('bob', 'secret2')), '235 2.7.0 Authentication successful', 'a user who is new')
    # what changes in the database counts at once
    add_user('/etc/sasldb2', 'bob', 'changed')
    with mail.dialogue() as c:
        c.say('EHLO x')
        expect(c.say('AUTH PLAIN ' + plain('bob', 'secret2'))[:3], '535', 'a password that was changed')
        expect(c.say('AUTH PLAIN ' + plain('bob', 'changed'))[:3], '235', 'the new one')
    subprocess.run(['saslpasswd2', '-d', '-u', 'example.test', 'bob'], check=True)
    with mail.dialogue() as c:
        c.say('EHLO x')
        expect(c.say('AUTH PLAIN ' + plain('bob', 'changed'))[:3], '535', 'a user who was deleted')
    for mechanism in ('auth_plain', 'auth_login', 'auth_cram_md5'):
        with mail.smtp() as s:
            s.ehlo()
            s.user, s.password = 'alice', 'secret'
            expect(s.auth(mechanism[5:].upper().replace('_', '-'), getattr(s, mechanism))[0], 235, mechanism)
            s.sendmail('a@remote.test', ['alice@example.test'], 'Subject: x\n\nx\n')
    mail.wait_for_log(r'sasl_method=CRAM-MD5, sasl_username=alice@example\.test')
    expect_match(r'smtpd\[\d+\]: warning: SASL authentication failure: Password verification failed\n.*warning: localhost\[127\.0\.0\.1\]: SASL PLAIN authentication failed: authentication failure, sasl_username=alice@example\.test$', mail.log(), 'the log')
    expect('secret' in mail.log(), False, 'a password in the log')

    os.chmod('/etc/sasldb2', 0o600)
    os.chown('/etc/sasldb2', 0, 0)
    with mail.dialogue() as c:
        c.say('EHLO x')
        expect(c.say('AUTH PLAIN ' + plain('alice', 'secret')), '454 4.7.0 Temporary authentication failure: generic failure', 'a database that cannot be read')
    mail.wait_for_log(r'warning: SASL authentication problem: unable to open Berkeley db /etc/sasldb2: Permission denied')

    # nothing can be had from the process: neither a core file nor its memory nor another program
    pid, = sasl_pids(mail)
    status = open(f'/proc/{pid}/status').read()
    expect_match(r'^NoNewPrivs:\s1$', status, 'no-new-privs')
    expect_match(r'^CapPrm:\s0+$', status, 'its capabilities')
    expect_match(r'^Max core file size\s+0\s+0 ', open(f'/proc/{pid}/limits').read(), 'core files')
    expect(os.stat(f'/proc/{pid}/mem').st_uid, 0, 'who may look into it (root: it is not dumpable)')
    expect(oct(os.stat(os.path.join(mail.spool, 'private/sasl')).st_mode & 0o777), '0o700', 'who may talk to it')
