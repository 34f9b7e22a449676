"""The relay host gets the login that the password table has for it: by next hop as it is written, or by host; the mechanism
filter and the security options decide how."""
from instance import Instance, expect
from secure_server import SecureServer

far = SecureServer(users={'relayuser': 'relaypass'}, mechanisms='PLAIN LOGIN CRAM-MD5')
cases = [
    (f'[127.0.0.1]:{far.port} relayuser:relaypass\n', '', 'CRAM-MD5'),
    ('127.0.0.1 relayuser:relaypass\n', 'smtp_sasl_mechanism_filter = plain, login\n', 'PLAIN'),
    ('127.0.0.1 relayuser:relaypass\n', 'smtp_sasl_mechanism_filter = login\n', 'LOGIN'),
]
for table, more, mechanism in cases:
    with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_security_options = noanonymous\n'
                       f'smtp_sasl_password_maps = texthash:${{config_directory}}/sasl_passwd\n{more}', files={'sasl_passwd': table}) as mail:
        mail.send(to=['b@far.test'])
        mail.wait_for_log(r'status=sent')
        expect(far.logins[-1], (mechanism, 'relayuser'), 'the login')
        if 'relaypass' in mail.log():
            raise SystemExit('the password is in the log')
# The key of another port is no key of this host: no login, and the far side says so for good.
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_security_options = noanonymous\n'
                   'smtp_sasl_password_maps = inline:{ 127.0.0.1:25=relayuser:relaypass }\n') as mail:
    mail.send(to=['b@far.test'])
    mail.wait_for_log(r'dsn=5\.7\.0, status=bounced \(host \S+ said: 530 5\.7\.0 Authentication required \(in reply to MAIL FROM command\)\)')
