"""Login settings that cannot work are named with file and line, and nothing starts; what is probably a mistake is a warning."""
from instance import Instance, expect, expect_match

FAULTS = {
    'smtpd_sasl_type = courier': r'main\.cf, line \d+: .*unsupported SASL server implementation',
    'smtpd_sasl_security_options = noanonymous, noplain': r'main\.cf, line \d+: unknown SASL security options value "noplain"',
    'smtpd_sasl_tls_security_options = none': r'main\.cf, line \d+: unknown SASL security options value "none"',
    'smtpd_sasl_type = dovecot\nsmtpd_sasl_path = inet:localhost': r'main\.cf, line \d+: smtpd_sasl_path: bad address "inet:localhost": need inet:host:port',
}
DOUBTS = {
    'smtpd_sasl_path = sasl2/smtpd.conf': r'warning: .*main\.cf, line \d+: smtpd_sasl_path = sasl2/smtpd\.conf looks like a file',
    'smtpd_sasl_type = dovecot': r'warning: smtpd_sasl_path = smtpd is no socket of Dovecot',
}
for lines, pattern in FAULTS.items():
    with Instance(main='smtpd_sasl_auth_enable = yes\n' + lines + '\n', start=False) as mail:
        for command in ('check', 'start'):
            p = mail.run('postfix', command, check=False)
            expect(p.returncode != 0, True, f'postfix {command} with {lines!r} fails')
            expect_match(pattern, p.stderr, f'postfix {command} with {lines!r}')
for lines, pattern in DOUBTS.items():
    with Instance(main='smtpd_sasl_auth_enable = yes\n' + lines + '\n', start=False) as mail:
        expect_match(pattern, mail.run('postfix', 'check').stderr, f'postfix check with {lines!r}')
