"""Debian's SPF policy daemon, set up in master.cf and main.cf as its manual says, refuses a forger, lets the rightful sender in with
a header, and may be killed in the middle of a session without harm: the next question starts another."""
import os, signal, subprocess
from dns_zone import Zone
from instance import Instance, expect, expect_match, wait_until
from own_mounts import in_own_mount_namespace
import spf_daemon

program = spf_daemon.fetch()
in_own_mount_namespace(network=True)     # a resolver of its own on port 53
names = Zone({('good.test', 'TXT'): ['v=spf1 ip4:127.0.0.2 -all'], ('forged.test', 'TXT'): ['v=spf1 -all'], ('good.test', 'A'): ['127.0.0.2']}, port=53)


def daemons():
    spawner, = (pid for pid, line in mail.children().items() if line.startswith('ekiden spawn '))
    with open(f'/proc/{spawner}/task/{spawner}/children') as f:
        return [int(pid) for pid in f.read().split()]


with Instance(start=False) as mail:
    resolv_conf = mail.write('resolv.conf', 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n')
    subprocess.run(['mount', '--bind', resolv_conf, '/etc/resolv.conf'], check=True)
    argv = spf_daemon.command(program, mail.config, 'debugLevel = 1\nHELO_reject = False\nMail_From_reject = Fail\nPermError_reject = False\nTempError_Defer = False\n'
                                                       'skip_addresses = 192.0.2.0/24\n')
    with open(f'{mail.config}/master.cf', 'a') as f:
        f.write(f'policyd-spf  unix  -       n       n       -       0       spawn\n    user=nobody argv={" ".join(argv)}\n')
    mail.set('policyd-spf_time_limit = 3600\n'
             'smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service { unix:private/policyd-spf, timeout=20s, retry_delay=1s }\n')
    expect(mail.run('postfix', 'check').stderr, '', 'complaints')
    mail.start()
    with mail.dialogue(source='127.0.0.2') as d:
        d.say('EHLO good.test')
        d.say('MAIL FROM:<a@forged.test>')
        expect_match(r'^550 5\.7\.23 <alice@example\.test>: Recipient address rejected: Message rejected due to: SPF fail', d.say('RCPT TO:<alice@example.test>'), 'a forger')
        d.say('RSET')
        d.say('MAIL FROM:<a@good.test>')
        expect(d.say('RCPT TO:<alice@example.test>'), '250 2.1.5 Ok', 'the rightful sender')
        expect(len(daemons()), 1, 'one connection for all questions of a session')
        expect(d.say('DATA')[:3], '354', 'DATA')
        d.send('Subject: x\r\n\r\nbody\r\n.\r\n')
        expect(d.reply()[:3], '250', 'the message')
        expect_match(r'^Received-SPF: Pass \(mailfrom\) identity=mailfrom; client-ip=127\.0\.0\.2;', mail.wait_for_mail('alice')[0], 'the header')

        first, = daemons()
        os.kill(first, signal.SIGKILL)
        mail.wait_for_log(r'postfix/spawn\[\d+\]: warning: command /usr/bin/python3 killed by signal 9$')
        d.say('MAIL FROM:<b@good.test>')
        expect(d.say('RCPT TO:<alice@example.test>'), '250 2.1.5 Ok', 'after its death')
        second, = daemons()
        expect(first != second, True, 'another daemon')
        d.say('RSET')

        # Its line is taken out: it ends once its client has gone, and nobody listens any more.
        with open(f'{mail.config}/master.cf') as f:
            text = f.read()
        mail.write('master.cf', text[:text.index('policyd-spf')])
        mail.run('postfix', 'reload')
        wait_until(lambda: not os.path.exists(f'{mail.spool}/private/policyd-spf'), 'the end of the socket')
        os.kill(second, signal.SIGKILL)
        with mail.dialogue(source='127.0.0.2') as later:
            later.say('EHLO good.test')
            later.say('MAIL FROM:<b@good.test>')
            expect(later.say('RCPT TO:<alice@example.test>'), '451 4.3.5 <alice@example.test>: Recipient address rejected: Server configuration problem', 'when nobody listens any more')
