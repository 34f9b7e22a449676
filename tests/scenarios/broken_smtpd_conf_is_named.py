"""An smtpd.conf that cannot work is named by postfix check, with file and line; mail goes on meanwhile without logins, and a
reload is enough when it has been mended."""
import os
from cyrus import ENABLED, add_user, need, plain, smtpd_conf
from instance import Instance, expect, expect_match, wait_until

need('saslpasswd2')
with Instance(main=ENABLED, start=False) as mail:
    database = mail.folder + '/sasldb2'
    add_user(database, 'alice', 'secret', owner=mail.owner)
    good = f'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {database}\nmech_list: PLAIN\n'

    def check(text):
        smtpd_conf(mail, text)
        return mail.run('postfix', 'check').stderr
    expect(check(good), '', 'a good one')
    expect_match(r'sasl/smtpd\.conf, line 4: mech_list: mechanism FOO is not available', check(good.replace('PLAIN', 'PLAIN FOO')), 'a mechanism that is not there')
    expect_match(r'sasl/smtpd\.conf, line 1: pwcheck_method: Cyrus SASL has no "auxpop"', check(good.replace('method: auxprop', 'method: auxpop')), 'a slip')
    expect_match(r'main\.cf, line \d+: .*Cyrus SASL has no mechanism to offer: nobody can log in', check('mech_list: FOO\n'), 'no mechanism')
    os.chmod(database, 0)
    if os.geteuid() == 0:
        os.chown(database, 0, 0)
    expect_match(r'sasl/smtpd\.conf, line 3: pwcheck_method: auxprop: \S+ may not read the password database ' + database, check(good),
                 'a database that cannot be read')
    os.chmod(database, 0o644)
    expect(check(good), '', 'a database that can')
    with open(mail.config + '/main.cf') as f:
        text = f.read()
    mail.write('main.cf', text + 'smtpd_sasl_security_options = noanonymous, noplaintext\n')
    expect_match(r'main\.cf, line \d+: smtpd_sasl_security_options = noanonymous, noplaintext leaves nothing of PLAIN, so nobody can log in: ',
                 check(good), 'options that leave nothing')
    mail.write('main.cf', text)
    expect_match(r'sasl/smtpd\.conf, line 2: this is not NAME: VALUE', check('# x\npwcheck_method auxprop\n'), 'no colon')

    mail.start()
    mail.wait_for_log(r'smtpd\[\d+\]: warning: SASL per-process initialization failed: ')
    with mail.dialogue() as c:
        expect('AUTH' in c.say('EHLO x'), False, 'AUTH')
        expect(c.say('AUTH PLAIN ' + plain('alice', 'secret'))[:9], '454 4.7.0', 'a login')
    mail.send()
    mail.wait_for_mail('alice')
    smtpd_conf(mail, good)
    mail.run('postfix', 'reload')

    def login():
        with mail.dialogue() as c:
            return c.say('EHLO x').count('AUTH PLAIN') and c.say('AUTH PLAIN ' + plain('alice', 'secret'))
    expect(wait_until(login, 'AUTH'), '235 2.7.0 Authentication successful', 'a login when it is mended')
