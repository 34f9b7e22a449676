"""fail2ban's own filter for Postfix finds every refused login in the log, and no login that was only put off."""
import os, shutil, subprocess
from dovecot import Dovecot
from instance import Instance, expect, expect_match, skip

FILTER = '/etc/fail2ban/filter.d/postfix.conf'
if not shutil.which('fail2ban-regex') or not os.path.exists(FILTER):
    skip('fail2ban is not installed')
with Dovecot() as dovecot, Instance(main=dovecot.main()) as mail:
    with mail.dialogue(source='127.0.0.9') as c:
        c.say('EHLO client.test')
        for line in ('AUTH PLAIN AGJvYgB3cm9uZw==', 'AUTH PLAIN ####'):
            expect(c.say(line)[:3], '535', line)
        c.say('AUTH LOGIN')
        c.say('Ym9i')
        expect(c.say('d3Jvbmc=')[:3], '535', 'LOGIN')
        dovecot.stop()
        expect(c.say('AUTH PLAIN AGJvYgB3cm9uZw==')[:3], '454', 'without Dovecot')
        c.say('QUIT')
    mail.wait_for_log('disconnect from')

    def found(mode):
        out = subprocess.run(['fail2ban-regex', '--print-all-matched', mail.log_file, f'{FILTER}[mode={mode}]'],
                             capture_output=True, text=True, timeout=60)
        expect(out.returncode, 0, out.stdout + out.stderr)
        return int(expect_match(r'^Failregex: (\d+) total', out.stdout, 'what fail2ban-regex says').group(1)), out.stdout
    count, text = found('auth')
    expect(count, 3, 'refused logins that the filter finds in\n' + mail.log() + text)
    count, text = found('aggressive')
    expect(count, 4, 'with mode=aggressive, which counts the end of such a session too\n' + text)
