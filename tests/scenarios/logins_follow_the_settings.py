"""Where and when AUTH is to be had: not without smtpd_sasl_auth_enable, not in plain text where TLS is asked for, before EHLO,
hidden from smtpd_sasl_exceptions_networks only, in lines up to smtpd_sasl_response_limit, so often in a time unit."""
from dovecot import Dovecot
from instance import Instance, expect, expect_match

GOOD = 'AUTH PLAIN AGJvYgBzZWNyZXQgb2YgYm9i'
OK, NO = '235 2.7.0 Authentication successful', '503 5.5.1 Error: authentication not enabled'
MASTER = '''127.0.0.2:{port} inet n - n - - smtpd
    -o smtpd_sasl_auth_enable=no
127.0.0.3:{port} inet n - n - - smtpd
    -o smtpd_tls_auth_only=yes
127.0.0.4:{port} inet n - n - - smtpd
    -o smtpd_sasl_exceptions_networks=127.0.0.8/32
    -o smtpd_sasl_mechanism_filter=!plain,static:all
127.0.0.5:{port} inet n - n - - smtpd
    -o smtpd_client_auth_rate_limit=2
    -o smtpd_client_event_limit_exceptions=
127.0.0.6:{port} inet n - n - - smtpd
    -o smtpd_sasl_security_options=noplaintext
    -o smtpd_helo_required=yes
127.0.0.7:{port} inet n - n - - smtpd
    -o smtpd_discard_ehlo_keywords=auth
127.0.0.8:{port} inet n - n - - smtpd
    -o smtpd_sasl_security_options=noplaintext,noactive,noanonymous,mutual_auth,forward_secrecy
127.0.0.9:{port} inet n - n - - smtpd
    -o smtpd_tls_security_level=May
'''
with Dovecot() as dovecot, Instance(main=dovecot.main(), start=False) as mail:
    with open(mail.config + '/master.cf', 'a') as f:
        f.write(MASTER.format(port=mail.port))
    mail.start()
    from instance import Dialogue

    def talk(host, source='127.0.0.1'):
        return Dialogue(mail.port, host=host, source=source)
    with talk('127.0.0.1') as c:
        expect(c.say(GOOD), OK, 'a login before EHLO')
    with talk('127.0.0.1') as c:
        c.say('HELO client.test')
        for line, reply in {'AUTH': '501 5.5.4 Syntax: AUTH mechanism', 'AUTH PLAIN a b': '501 5.5.4 Syntax: AUTH mechanism',
                            'AUTH FOO': '535 5.7.8 Error: authentication failed: Invalid authentication mechanism',
                            'AUTH PLAIN ####': '535 5.7.8 Error: authentication failed: Invalid base64 data in initial response'}.items():
            expect(c.say(line), reply, line)
        expect(c.say('AUTH PLAIN'), '334 ', 'PLAIN without a response')
        expect(c.say('A' * 12288), '500 5.5.6 SASL response limit exceeded', 'a response that is too long')
        c.say('AUTH PLAIN')
        expect(c.say('a b'), '535 5.7.8 Error: authentication failed: Invalid base64 data in continued response', 'a response that is none')
        c.say('AUTH PLAIN')
        expect(c.say('A' * 12284)[:3], '535', 'the longest response')
    with talk('127.0.0.9') as c:
        expect('AUTH' in c.say('EHLO client.test'), True, 'EHLO where TLS may be had')
    for host in ('127.0.0.2', '127.0.0.3'):
        with talk(host) as c:
            expect('AUTH' in c.say('EHLO client.test'), False, f'EHLO at {host}')
            expect(c.say(GOOD), NO, f'AUTH at {host}')
    with talk('127.0.0.4', source='127.0.0.8') as c:
        expect('AUTH' in c.say('EHLO client.test'), False, 'EHLO where AUTH is hidden')
        expect(c.say(GOOD), OK, 'AUTH where it is hidden')
    with talk('127.0.0.4', source='127.0.0.9') as c:
        expect_match('^250-AUTH LOGIN CRAM-MD5', c.say('EHLO client.test'), 'EHLO where one mechanism is not named')
    with talk('127.0.0.5') as c:
        c.say('EHLO client.test')
        for _ in range(2):
            expect(c.say('AUTH')[:3], '501', 'AUTH within the limit')
        expect(c.say(GOOD), '450 4.7.1 Error: too many AUTH commands from 127.0.0.1', 'one too many')
    with talk('127.0.0.6') as c:
        expect(c.say(GOOD), '503 5.5.1 Error: send HELO/EHLO first', 'where a greeting is required')
        expect_match('^250-AUTH CRAM-MD5 DIGEST-MD5 SCRAM-SHA-256', c.say('EHLO client.test'), 'EHLO without plain passwords')
        expect(c.say(GOOD), '535 5.7.8 Error: authentication failed: Invalid authentication mechanism', 'a plain password')
    with talk('127.0.0.7') as c:
        expect('AUTH' in c.say('EHLO client.test'), False, 'EHLO where the keyword is discarded')
    with talk('127.0.0.8') as c:
        expect('AUTH' in c.say('EHLO client.test'), False, 'EHLO where no mechanism is good enough')
    mail.wait_for_log('warning: no SASL authentication mechanisms')
    mail.wait_for_log(r'warning: AUTH command rate limit exceeded: 3 from localhost\[127\.0\.0\.1\] for service 127\.0\.0\.5')
