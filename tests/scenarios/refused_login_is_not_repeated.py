"""With smtp_sasl_auth_cache_name a login that was refused is not tried again."""
from instance import Instance, expect
from secure_server import SecureServer

far = SecureServer(users={'user': 'right'}, mechanisms='PLAIN')
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = static:user:wrong\n'
                   'smtp_sasl_security_options = noanonymous\nsmtp_sasl_auth_cache_name = proxy:btree:$data_directory/refused\n') as mail:
    mail.send(to=['b@far.test'])
    mail.wait_for_log(r'status=deferred \(SASL authentication failed; server')
    mail.run('postqueue', '-f')
    mail.wait_for_log(r'dsn=4\.7\.8, status=deferred \(SASL \[CACHED\] authentication failed; server 127\.0\.0\.1 said: 535 5\.7\.8 authentication failed\)')
    expect(sum(line.startswith('AUTH') for line in far.commands), 1, 'logins tried')
