"""What one client may do in a time unit: logins, TLS sessions, messages, recipients; networks count as one client, exceptions are
not counted, and the log says who did most."""
import os, shutil, smtplib, ssl, subprocess

from instance import Dialogue, Instance, expect, expect_match, free_port, skip

if not shutil.which('openssl'):
    skip('makes its certificate with openssl')
ports = {name: free_port() for name in ('login', 'tls', 'wrapped', 'mail', 'network')}
MASTER = f'''127.0.0.1:{ports['login']} inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes -o smtpd_sasl_type=ekiden -o smtpd_client_auth_rate_limit=2
127.0.0.1:{ports['tls']} inet n - n - - smtpd -o smtpd_tls_security_level=may -o smtpd_client_new_tls_session_rate_limit=1
127.0.0.1:{ports['wrapped']} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o smtpd_client_new_tls_session_rate_limit=1
127.0.0.1:{ports['mail']} inet n - n - - smtpd -o smtpd_client_message_rate_limit=2 -o smtpd_client_recipient_rate_limit=3
127.0.0.1:{ports['network']} inet n - n - - smtpd -o smtpd_client_ipv4_prefix_length=24 -o smtpd_client_connection_rate_limit=2
'''
MAIN = '''smtpd_client_event_limit_exceptions = 127.0.0.1/32
smtpd_peername_lookup = no
smtpd_tls_chain_files = ${config_directory}/tls.pem
anvil_status_update_time = 1h
'''
CLIENT = '127.0.0.9'


def client(name):
    d = Dialogue(ports[name], source=CLIENT)
    d.say('EHLO client.test')
    return d


with Instance(main=MAIN, master=MASTER, start=False) as mail:
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', f'{mail.config}/key', '-out', f'{mail.config}/cert', '-days', '2', '-subj', '/CN=mail.example.test'],
                   check=True, stderr=subprocess.DEVNULL)
    mail.write('tls.pem', open(f'{mail.config}/key').read() + open(f'{mail.config}/cert').read())
    os.chmod(mail.write('logins', ''), 0o600)
    mail.start()

    with client('login') as d:
        for _ in range(2):
            expect(d.say('AUTH PLAIN AHgAeQ==')[:3], '535', 'a wrong password')
        expect(d.say('AUTH PLAIN AHgAeQ=='), f'450 4.7.1 Error: too many AUTH commands from {CLIENT}', 'one guess too many')
    mail.wait_for_log(rf'warning: AUTH command rate limit exceeded: 3 from unknown\[127\.0\.0\.9\] for service 127\.0\.0\.1:{ports["login"]}$')

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def start_tls():
        s = smtplib.SMTP('127.0.0.1', ports['tls'], local_hostname='client.test', timeout=30, source_address=(CLIENT, 0))
        s.ehlo()
        return s, s.starttls(context=context)[0]
    s, code = start_tls()
    expect((code, s.ehlo()[0]), (220, 250), 'the first TLS session')
    s.quit()
    s, code = start_tls()
    code, text = s.docmd('NOOP')
    expect((code, text), (421, b'4.7.0 mail.example.test Error: too many new TLS sessions from unknown[127.0.0.9]'), 'the second one')
    s.close()
    mail.wait_for_log(r'warning: New TLS session rate limit exceeded: 2 from unknown\[127\.0\.0\.9\] for service ')
    with client('tls') as d:
        expect(d.say('STARTTLS'), '454 4.7.0 Error: too many new TLS sessions from unknown[127.0.0.9]', 'the third')
    mail.wait_for_log(r'warning: Refusing STARTTLS request from unknown\[127\.0\.0\.9\] for service ')

    greetings = []
    for _ in range(2):
        try:
            with smtplib.SMTP_SSL('127.0.0.1', ports['wrapped'], context=context, timeout=30, source_address=(CLIENT, 0)) as s:
                greetings.append(220)
        except smtplib.SMTPConnectError as refused:
            greetings.append((refused.smtp_code, refused.smtp_error[:47]))
    expect(greetings, [220, (421, b'4.7.0 mail.example.test Error: too many new TLS')], 'TLS from the first byte on')

    with client('mail') as d:
        d.say('MAIL FROM:<a@remote.test>')
        codes = [d.say('RCPT TO:<alice@example.test>') for _ in range(4)]
        expect([c[:9] for c in codes], ['250 2.1.5'] * 3 + ['450 4.7.1'], 'recipients')
        expect(codes[3], f'450 4.7.1 Error: too many recipients from {CLIENT}', 'one recipient too many')
        d.say('RSET')
        expect(d.say('MAIL FROM:<a@remote.test>'), '250 2.1.0 Ok', 'the second message')
        d.say('RSET')
        expect(d.say('MAIL FROM:<a@remote.test>'), f'450 4.7.1 Error: too much mail from {CLIENT}', 'the third')
    with Dialogue(ports['mail']) as d:      # in smtpd_client_event_limit_exceptions
        d.say('EHLO client.test')
        for _ in range(4):
            expect(d.say('MAIL FROM:<a@remote.test>'), '250 2.1.0 Ok', 'a client that is not counted')
            d.say('RSET')

    for source, code in ((CLIENT, '220'), ('127.0.0.10', '220'), ('127.0.0.11', '421')):
        with Dialogue(ports['network'], source=source) as d:
            expect(d.greeting[:3], code, f'{source} of a network of three')

    mail.stop()
    for line in (rf'max connection rate 3/60s for \(127\.0\.0\.1:{ports["network"]}:127\.0\.0\.0\) at ', rf'max auth rate 3/60s for \(127\.0\.0\.1:{ports["login"]}:127\.0\.0\.9\) at ',
                 rf'max newtls rate 2/60s for \(127\.0\.0\.1:{ports["tls"]}:127\.0\.0\.9\) at ', rf'max message rate 3/60s for ', r'max recipient rate 4/60s for ', r'max cache size \d+ at '):
        expect_match(rf'postfix/anvil\[\d+\]: statistics: {line}', mail.log(), 'statistics')
