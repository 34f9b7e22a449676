"""Debian's SPF policy daemon refuses a forger, lets the rightful sender in with a header, and may be killed in the middle of
a session without harm: the next question starts another."""
import os, subprocess
from dns_zone import Zone
from instance import Instance, expect, expect_match
from own_mounts import in_own_mount_namespace
from policy_server import piped
import spf_daemon

program = spf_daemon.fetch()
in_own_mount_namespace(network=True)     # a resolver of its own on port 53
names = Zone({('good.test', 'TXT'): ['v=spf1 ip4:127.0.0.2 -all'], ('forged.test', 'TXT'): ['v=spf1 -all'], ('good.test', 'A'): ['127.0.0.2']}, port=53)
with Instance(start=False) as mail:
    resolv_conf = mail.write('resolv.conf', 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n')
    subprocess.run(['mount', '--bind', resolv_conf, '/etc/resolv.conf'], check=True)
    argv = spf_daemon.command(program, mail.config, 'debugLevel = 1\nHELO_reject = False\nMail_From_reject = Fail\nPermError_reject = False\nTempError_Defer = False\n'
                                                       'skip_addresses = 192.0.2.0/24\n')
    daemon = piped(argv, address=os.path.join(mail.folder, 'spf'))
    mail.set(f'smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service {{ unix:{mail.folder}/spf, timeout=20s, retry_delay=1s }}\n')
    mail.start()
    try:
        with mail.dialogue(source='127.0.0.2') as d:
            d.say('EHLO good.test')
            d.say('MAIL FROM:<a@forged.test>')
            expect_match(r'^550 5\.7\.23 <alice@example\.test>: Recipient address rejected: Message rejected due to: SPF fail', d.say('RCPT TO:<alice@example.test>'), 'a forger')
            d.say('RSET')
            d.say('MAIL FROM:<a@good.test>')
            expect(d.say('RCPT TO:<alice@example.test>'), '250 2.1.5 Ok', 'the rightful sender')
            expect(len(daemon.children), 1, 'one connection for all questions of a session')
            expect(d.say('DATA')[:3], '354', 'DATA')
            d.send('Subject: x\r\n\r\nbody\r\n.\r\n')
            expect(d.reply()[:3], '250', 'the message')
            expect_match(r'^Received-SPF: Pass \(mailfrom\) identity=mailfrom; client-ip=127\.0\.0\.2;', mail.wait_for_mail('alice')[0], 'the header')

            daemon.kill_children()
            d.say('MAIL FROM:<b@good.test>')
            expect(d.say('RCPT TO:<alice@example.test>'), '250 2.1.5 Ok', 'after its death')
            d.say('RSET')
            daemon.close()
            d.say('MAIL FROM:<b@good.test>')
            expect(d.say('RCPT TO:<alice@example.test>'), '451 4.3.5 <alice@example.test>: Recipient address rejected: Server configuration problem', 'when nobody listens any more')
    finally:
        daemon.close()
