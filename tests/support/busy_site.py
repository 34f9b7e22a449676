"""A short day of a mail site in one log, for the programs that read logs: deliveries of every kind, refusals, logins, TLS,
connections that break off, and the administrator's commands.

    with busy_site() as mail: ...        # when the block begins everything has happened and is in mail.log_file;
                                         # json_log=True: in mail.folder/mail.json too

Who did what: 127.0.0.2 is on a block list; .3 asks for relay, for users that are not there, and greets badly; .4 fails to
log in, twice, and once with a broken token; .5 breaks off; .6 has a name that does not resolve to it; .7 makes too many
errors; .8 talks before its turn.
"""
import contextlib, smtplib

from certificates import Certificates
from dovecot import Dovecot
from instance import MESSAGE, Instance
from secure_server import SecureServer

ZONE = {('2.0.0.127.listed.test', 'A'): ['127.0.0.2'], ('2.0.0.127.listed.test', 'TXT'): ['see http://listed.test/'],
        ('6.0.0.127.in-addr.arpa', 'PTR'): ['liar.test'], ('remote.test', 'A'): ['127.0.0.1']}
MAIN = '''\
smtpd_client_restrictions = reject_rbl_client listed.test
smtpd_helo_required = yes
smtpd_helo_restrictions = reject_invalid_helo_hostname
smtpd_data_restrictions = reject_unauth_pipelining
smtpd_hard_error_limit = 3
smtpd_soft_error_limit = 10
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtp_tls_security_level = may
smtp_tls_loglevel = 1
virtual_alias_maps = inline:{ office@example.test=alice@example.test }
header_checks = regexp:{ {/^Subject: casino/ REJECT no games} {/^Subject: noted/ WARN a note} {/^Subject: kept/ HOLD} }
transport_maps = inline:{ {gone.test = discard:} {wrong.test = error:5.1.2 no such place} {piped.test = piped:} }
'''
PIPE = 'piped  unix  -  n  n  -  -  pipe user=nobody argv=/bin/cat\n'


def attempt(mail, source, *lines, leave=True):
    """says the lines, the answers to which do not matter, and leaves with QUIT or without"""
    with mail.dialogue(source=source) as d, contextlib.suppress(EOFError, OSError):
        for line in lines:
            d.say(line)
        if leave:
            d.say('QUIT')


def strangers(mail):
    attempt(mail, '127.0.0.2', 'EHLO client.test', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<alice@example.test>')
    attempt(mail, '127.0.0.3', 'EHLO client.test', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<b@far.test>', 'RCPT TO:<nobody@example.test>')
    attempt(mail, '127.0.0.3', 'HELO -not-a-name-', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<alice@example.test>')
    attempt(mail, '127.0.0.4', 'EHLO client.test', 'AUTH PLAIN AGJvYgB3cm9uZw==', 'AUTH LOGIN', 'Ym9i', 'd3Jvbmc=')
    attempt(mail, '127.0.0.4', 'EHLO client.test', 'AUTH PLAIN ####')
    attempt(mail, '127.0.0.5', 'EHLO client.test', leave=False)
    attempt(mail, '127.0.0.5', 'EHLO client.test', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<alice@example.test>', 'DATA', leave=False)
    attempt(mail, '127.0.0.5', leave=False)
    attempt(mail, '127.0.0.6', 'EHLO client.test')
    attempt(mail, '127.0.0.7', 'EHLO client.test', 'ONE', 'TWO', 'THREE', 'FOUR')
    with mail.dialogue(source='127.0.0.8') as d:
        d.say('EHLO client.test')
        d.send('MAIL FROM:<a@remote.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: early\r\n\r\n.\r\n')
        with contextlib.suppress(EOFError, OSError):
            for _ in range(4):
                d.reply()


def messages(mail, certificates):
    for _ in range(2):
        mail.send('a@remote.test', ['alice@example.test', 'office@example.test'])
    mail.send('alice@example.test', ['x@gone.test'])
    mail.run('sendmail', '-f', 'alice@example.test', 'x@wrong.test', input='Subject: nowhere\n\nHello\n')                # an SMTP client would be told at once
    mail.send('alice@example.test', ['x@piped.test'])
    mail.send('alice@example.test', ['yes@far.test', 'no@far.test', 'later@far.test'])
    mail.send('a@remote.test', ['bob@example.test'], MESSAGE.replace('Subject: test', 'Subject: noted'))
    mail.send('a@remote.test', ['bob@example.test'], MESSAGE.replace('Subject: test', 'Subject: kept'))
    with contextlib.suppress(smtplib.SMTPResponseException):
        mail.send('a@remote.test', ['bob@example.test'], MESSAGE.replace('Subject: test', 'Subject: casino'))
    with mail.smtp() as s:                                                        # logged in, over TLS
        s.starttls(context=certificates.client())
        s.login('alice@example.test', 'secret of alice')
        s.sendmail('alice@example.test', ['carol@example.test'], MESSAGE)
    mail.run('sendmail', '-f', 'alice@example.test', 'bob@example.test', input='Subject: from a program\n\nHello\n')
    mail.wait_for_log(r'status=deferred')
    mail.wait_for_log(r'status=bounced', 2)
    mail.wait_for_log(r'status=sent \(delivered to maildir\)', 8)
    mail.wait_for_log(r'relay=piped, .*status=sent')


def administrator(mail):
    held = next(e['queue_id'] for e in mail.entries() if e['queue_name'] == 'hold')
    late = next(e['queue_id'] for e in mail.entries() if e['queue_name'] == 'deferred')
    mail.run('postsuper', '-h', late)
    mail.run('postsuper', '-H', late)                                              # which tries again at once
    mail.wait_for_log(r'to=<later@far\.test>, .*status=deferred', 2)
    mail.run('postsuper', '-e', late)
    mail.run('postqueue', '-i', late)
    mail.wait_for_log(r'status=force-expired, returned to sender')
    mail.run('postsuper', '-d', held)
    mail.run('postfix', 'reload')
    mail.wait_for_log(r'reload -- version')
    mail.wait_for_log(r': removed$', 13)


@contextlib.contextmanager
def busy_site(json_log=False):
    with Dovecot() as dovecot, contextlib.ExitStack() as stack:
        mail = Instance(main=dovecot.main(), start=False, zone=ZONE, master=PIPE)
        made = Certificates(mail.folder)
        made.make('far', cn='far.test')
        made.make('mail')
        far = SecureServer(certificate=(made.path('far.pem'), made.path('far.key')),
                           answers={'RCPT TO:<no@': '550 5.1.1 no such user', 'RCPT TO:<later@': '450 4.2.1 busy'})
        mail.set(MAIN + f'relayhost = [127.0.0.1]:{far.port}\nsmtpd_tls_cert_file = {made.path("mail.pem")}\nsmtpd_tls_key_file = {made.path("mail.key")}\n')
        if json_log:
            mail.set(f'ekiden_log_format = json\nekiden_log_file = {mail.folder}/mail.json\n')
        stack.enter_context(mail)
        mail.start()
        messages(mail, made)
        strangers(mail)
        mail.wait_for_log(r'lost connection after DATA .* from unknown\[127\.0\.0\.5\]')
        mail.wait_for_log(r'improper command pipelining after .* from unknown\[127\.0\.0\.8\]')
        mail.wait_for_log(r'disconnect from unknown\[127\.0\.0\.5\]', 3)
        administrator(mail)
        yield mail
