"""A bearer token comes from a file, and a new token is used as soon as it is there."""
import os, pwd

from instance import Instance, expect
from secure_server import SecureServer

far = SecureServer(users={'me@far.test': 'token-1'}, mechanisms='PLAIN XOAUTH2')
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_security_options = noanonymous\n'
                   'smtp_sasl_mechanism_filter = xoauth2\nsmtp_sasl_password_maps = static:me@far.test:${config_directory}/token\n',
              files={'token': '{"access_token": "token-1", "expires_in": 3600}\n'}) as mail:
    mail.send(to=['b@far.test'])
    mail.wait_for_log(r'status=sent')
    far.users['me@far.test'] = 'token-2'
    mail.wait_for_empty_queue()
    mail.write('token', 'token-0')
    mail.run('postfix', 'reload')     # nothing is kept of the old connection
    mail.wait_for_log(r'reload -- version')
    mail.send(to=['b@far.test'])
    mail.wait_for_log(r'status=deferred \(SASL authentication failed; server \S+ said: 535')
    mail.write('token', 'token-2\n')
    mail.run('postqueue', '-f')
    far.wait_for(2)
    expect(far.logins, [('XOAUTH2', 'me@far.test')] * 2, 'logins')
    for token in 'token-1', 'token-2', 'token-0':
        if token in mail.log():
            raise SystemExit('a token is in the log')
