"""ekiden passwd makes logins that count at once, with every mechanism, for clients that have nothing in common with the server."""
import os, shutil, smtplib, stat, subprocess
import scram
from instance import Failed, Instance, expect, tool, wait_until

MAIN = '''\
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = ekiden
smtpd_sasl_local_domain = example.test
smtpd_relay_restrictions = permit_sasl_authenticated, reject
'''


def passwd(mail, *args, password=None, check=True):
    p = subprocess.run([tool('ekiden'), 'passwd', '-c', mail.config, *args], input=None if password is None else password + '\n',
                       capture_output=True, text=True, timeout=30)
    if check and p.returncode:
        raise Failed(f'ekiden passwd {args}: {p.stderr}')
    return p


def plain(mail, user, password):
    with mail.smtp() as s:
        s.ehlo()
        s.user, s.password = user, password
        try:
            return s.auth('PLAIN', s.auth_plain)[0]
        except smtplib.SMTPAuthenticationError as refused:
            return refused.smtp_code


def by_login(mail, user, password):
    with mail.smtp() as s:
        s.ehlo()
        s.user, s.password = user, password
        try:
            return s.auth('LOGIN', s.auth_login, initial_response_ok=False)[0]
        except smtplib.SMTPAuthenticationError as refused:
            return refused.smtp_code


def by_scram(mail, user, password):
    with mail.smtp() as s:
        s.ehlo()
        return scram.login(s, user, password)[0]


def offered(mail):
    with mail.smtp() as s:
        s.ehlo()
        return s.esmtp_features.get('auth', '').split()


with Instance(MAIN, start=False) as mail:
    logins = os.path.join(mail.config, 'logins')
    passwd(mail, '-p', 'alice@example.test', password='pencil')
    mode = os.stat(logins)
    expect(stat.S_IMODE(mode.st_mode), 0o640, 'the mode of the file')
    if os.geteuid() == 0:
        os.chmod(logins, 0o600)         # the engine is not root, and reads it all the same
    mail.start()
    expect(offered(mail), ['SCRAM-SHA-256', 'PLAIN', 'LOGIN'], 'the mechanisms')

    for user in ('alice', 'alice@example.test', 'alice@EXAMPLE.test'):
        for way in (plain, by_login, by_scram):
            expect(way(mail, user, 'pencil'), 235, f'{way.__name__} as {user}')
    for way in (plain, by_login, by_scram):
        expect(way(mail, 'alice', 'Pencil'), 535, f'{way.__name__} with a wrong password')
        expect(way(mail, 'nobody', 'pencil'), 535, f'{way.__name__} with a wrong name')
        expect(way(mail, 'alice@other.test', 'pencil'), 535, f'{way.__name__} with a wrong domain')
    mail.wait_for_log(r'warning: localhost\[127\.0\.0\.1\]: SASL SCRAM-SHA-256 authentication failed: authentication failure, sasl_username=alice@example\.test$')
    mail.wait_for_log(r'warning: localhost\[127\.0\.0\.1\]: SASL PLAIN authentication failed: authentication failure, sasl_username=nobody@example\.test$')

    # Mail of who is logged in goes out, and the log names the login.
    with mail.smtp() as s:
        s.login('alice', 'pencil')
        s.sendmail('alice@example.test', ['bob@example.test'], 'Subject: mine\n\n.\n')
    mail.wait_for_mail('bob')
    mail.wait_for_log(r'sasl_method=\S+, sasl_username=alice@example\.test$')

    # Changed, added and deleted while the server runs: it counts within a second.
    passwd(mail, '-p', 'alice@example.test', password='brush')
    passwd(mail, '-p', '--crypt', 'carol', password='chalk')
    wait_until(lambda: plain(mail, 'alice', 'brush') == 235, 'the new password')
    expect(by_scram(mail, 'alice', 'brush'), 235, 'SCRAM with the new password')
    expect(plain(mail, 'alice', 'pencil'), 535, 'the old password')
    expect(plain(mail, 'carol', 'chalk'), 235, 'a crypt(3) hash with PLAIN')
    expect(by_scram(mail, 'carol', 'chalk'), 535, 'a crypt(3) hash with SCRAM')
    mail.wait_for_log(r'carol has a crypt\(3\) hash, which fits PLAIN and LOGIN only')
    expect(passwd(mail, '-l').stdout.split(), ['alice@example.test', 'carol'], 'the list')
    passwd(mail, '-d', 'alice@example.test')
    wait_until(lambda: plain(mail, 'alice', 'brush') == 535, 'the end of a login')
    wait_until(lambda: offered(mail) == ['PLAIN', 'LOGIN'], 'the end of SCRAM, which nobody could use')

    # A line that is no login is named; a file that is not there lets everybody wait.
    with open(logins, 'a') as f:
        f.write('eve:secret\n')
    wait_until(lambda: plain(mail, 'eve', 'secret') == 535 and 'line 2: neither a SCRAM-SHA-256 verifier nor' in mail.log(), 'the warning')
    os.rename(logins, logins + '.away')
    wait_until(lambda: plain(mail, 'carol', 'chalk') == 454, 'an answer to come back later')
    os.rename(logins + '.away', logins)
    wait_until(lambda: plain(mail, 'carol', 'chalk') == 235, 'the file again')

    # Another program's verifier, and another program as a client.
    if shutil.which('gsasl'):
        made = subprocess.run(['gsasl', '--mkpasswd', '--mechanism=SCRAM-SHA-256', '--password=slate', '--iteration-count=8192'], capture_output=True, text=True, timeout=30)
        with open(logins, 'a') as f:
            f.write('dave:' + made.stdout)
        wait_until(lambda: plain(mail, 'dave', 'slate') == 235, 'a login made by gsasl')
        for password, status in (('slate', 0), ('wrong', 1)):
            p = subprocess.run(['gsasl', '--smtp', '--no-starttls', '--mechanism=SCRAM-SHA-256', '--no-cb', '-a', 'dave', '-z', '', '-p', password,
                                f'--connect=127.0.0.1:{mail.port}'], input='', capture_output=True, text=True, timeout=30)
            expect(p.returncode != 0, status != 0, f'gsasl with {password}: {p.stdout}{p.stderr}')
    with open(mail.log_file) as f:
        text = f.read()
    for secret in ('pencil', 'brush', 'chalk', 'SCRAM-SHA-256$'):
        if secret in text:
            raise Failed(f'{secret!r} stands in the log')
