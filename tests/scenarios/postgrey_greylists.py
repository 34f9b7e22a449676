"""Debian's postgrey makes a stranger wait and lets him in when he comes again; killed and started anew in mid-session it
costs that session nothing but a deferral."""
import os, pwd, shutil, signal, socket, subprocess, tempfile, time
from instance import Instance, expect, expect_match, free_port, skip, wait_until

if not shutil.which('postgrey', path=os.environ['PATH'] + ':/usr/sbin'):
    skip('postgrey is not installed (apt-get install postgrey)')
if os.geteuid() != 0:
    skip('postgrey wants to be started by root')
port = free_port()
folder = tempfile.mkdtemp(prefix='postgrey-', dir='/var/tmp')
account = pwd.getpwnam('nobody')
os.chown(folder, account.pw_uid, account.pw_gid)


def listening():
    with socket.socket() as s:
        return s.connect_ex(('127.0.0.1', port)) == 0


def start():
    # --dbdir is its own; whitelists of the system must not let our client through.
    child = subprocess.Popen(['/usr/sbin/postgrey', f'--inet=127.0.0.1:{port}', f'--dbdir={folder}', '--delay=1', '--user=nobody', '--group=nogroup', '--privacy',
                              '--whitelist-clients=/dev/null', '--whitelist-recipients=/dev/null', '--greylist-text=Greylisted for %s seconds'],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until(listening, 'postgrey')
    return child


GREYLISTED = r'^450 4\.2\.0 <alice@example\.test>: Recipient address rejected: Greylisted for \d seconds$'
server = start()
try:
    with Instance(main=f'smtpd_recipient_restrictions = check_policy_service {{ inet:127.0.0.1:{port}, timeout=5s, retry_delay=1s }}\n') as mail:
        with mail.dialogue(source='127.0.0.2') as d:
            d.say('EHLO client.test')
            d.say('MAIL FROM:<a@remote.test>')
            expect_match(GREYLISTED, d.say('RCPT TO:<alice@example.test>'), 'the first attempt')
            reply = wait_until(lambda: (r := d.say('RCPT TO:<alice@example.test>')).startswith('2') and r, 'the end of the wait')
            expect(d.say('DATA')[:3], '354', 'DATA')
            d.send('Subject: x\r\n\r\nbody\r\n.\r\n')
            expect(d.reply()[:3], '250', 'the message')
            # It says so in a header of its own.
            expect_match(r'^X-Greylist: delayed \d+ seconds by postgrey', mail.wait_for_mail('alice')[0], 'the header')

            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
            d.say('MAIL FROM:<a@remote.test>')
            expect(d.say('RCPT TO:<alice@example.test>'), '451 4.3.5 <alice@example.test>: Recipient address rejected: Server configuration problem', 'without postgrey')
            mail.wait_for_log(rf'warning: problem talking to server 127\.0\.0\.1:{port}: Connection refused')
            server = start()
            expect(d.say('RCPT TO:<alice@example.test>'), '250 2.1.5 Ok', 'after its return')
            expect_match(GREYLISTED, d.say('RCPT TO:<bob@example.test>').replace('bob', 'alice'), 'another recipient')
finally:
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    shutil.rmtree(folder, ignore_errors=True)
