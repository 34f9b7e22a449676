"""A service line that says chroot: smtpd.conf is read outside, sasldb2 inside; services that do not say so read the other.
One process for each, none for services without logins; reload starts and ends them."""
import os
from cyrus import ENABLED, add_user, need, plain, sasl_pids, smtpd_conf
from instance import Dialogue, Instance, expect, expect_match, free_port, may_look_into_processes, skip, wait_until

need('saslpasswd2')
if os.geteuid() != 0:
    skip('needs root for chroot')
inside, quiet = free_port(), free_port()
LINES = f'''
127.0.0.1:{inside} inet n - y - - smtpd
127.0.0.1:{quiet} inet n - n - - smtpd
    -o smtpd_sasl_auth_enable=no
'''
REFUSED = '535 5.7.8 Error: authentication failed: authentication failure'
with Instance(main=ENABLED, master=LINES, start=False) as mail:
    outside = os.path.join(mail.folder, 'db')
    smtpd_conf(mail, f'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {outside}\nmech_list: PLAIN\n')
    add_user(outside, 'out', 'secret', owner=mail.owner)
    # the same path below the queue directory
    os.makedirs(mail.spool, exist_ok=True)
    expect_match(r'smtpd\.conf, line 3: pwcheck_method: auxprop: there is no password database ' + mail.spool + outside + '.*; the service runs in the chroot',
                 mail.run('postfix', 'check').stderr, 'what postfix check says')
    add_user(mail.spool + outside, 'in', 'secret', owner=mail.owner)
    mail.start()

    def login(port, user):
        with Dialogue(port) as c:
            return c.say('EHLO x') if user is None else (c.say('EHLO x'), c.say('AUTH PLAIN ' + plain(user, 'secret')))[1]
    expect(login(mail.port, 'out'), '235 2.7.0 Authentication successful', 'outside')
    expect(login(mail.port, 'in'), REFUSED, 'a user of the chroot, outside')
    expect(login(inside, 'in'), '235 2.7.0 Authentication successful', 'in the chroot')
    expect(login(inside, 'out'), REFUSED, 'a user from outside, in the chroot')
    expect('AUTH' in login(quiet, None), False, 'AUTH where it is off')
    pids = sasl_pids(mail)
    if may_look_into_processes():
        expect(sorted(os.readlink(f'/proc/{pid}/root') for pid in pids), ['/', mail.spool], 'where the processes are')
    sockets = os.path.join(mail.spool, 'private/sasl')
    expect(len(os.listdir(sockets)), 2, 'sockets')

    # reload reads smtpd.conf anew; what is under way goes on
    with Dialogue(mail.port) as c:
        c.say('EHLO x')
        expect(c.say('AUTH PLAIN'), '334 ', 'a login begins')
        smtpd_conf(mail, f'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {outside}\nmech_list: LOGIN PLAIN\n')
        mail.run('postfix', 'reload')
        mail.wait_for_log(r'master\[\d+\]: reload -- ')
        expect(c.say(plain('out', 'secret')), '235 2.7.0 Authentication successful', 'it ends after the reload')
    wait_until(lambda: 'AUTH LOGIN PLAIN' in login(mail.port, None), 'the new list of mechanisms')
    wait_until(lambda: not set(sasl_pids(mail)) & set(pids), 'the end of the old processes')

    # turned off, they are gone; a stop leaves nothing
    mail.set('smtpd_sasl_auth_enable = no\n')
    mail.run('postfix', 'reload')
    wait_until(lambda: not sasl_pids(mail) and not os.listdir(sockets), 'the end of all')
    mail.set('smtpd_sasl_auth_enable = yes\n')
    mail.run('postfix', 'reload')
    wait_until(lambda: len(sasl_pids(mail)) == 2, 'their return')
    wait_until(lambda: 'AUTH' in login(mail.port, None), 'AUTH again')
    mail.stop()
    expect(os.listdir(sockets), [], 'sockets after the stop')
