"""postfix check, start and reload name wrong login, TLS and service settings with file and line: what the server would die of
refuses the reload, which then changes nothing; the rest is a warning."""
from instance import Instance, expect, expect_match

WRONG = [      # main.cf, master.cf, what is said, does it refuse?
    ('smtpd_tls_security_level = encypt', '', r'main\.cf, line \d+: Invalid TLS level "encypt": is encrypt meant\?', True),
    ('smtpd_sasl_auth_enable = yes\nsmtpd_sasl_security_options = noanonymus', '',
     r'main\.cf, line \d+: unknown SASL security options value "noanonymus" in smtpd_sasl_security_options: is noanonymous meant\?', True),
    ('smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovcot', '', r'main\.cf, line \d+: smtpd_sasl_type = dovcot: unsupported SASL server implementation: is dovecot meant\?', True),
    ('', '-o receive_override_options=no_header_check', r'master\.cf: line \d+: unknown receive_override_options value "no_header_check" in "no_header_check"', True),
    ('', '-o smtpd_upstream_proxy_protocol=proxy', r'master\.cf: line \d+: unsupported smtpd_upstream_proxy_protocol value: proxy', True),
    ('', '-o cleanup_service_name=nosuch', r'master\.cf: line \d+: cleanup_service_name = nosuch: master\.cf has no cleanup service of that name', True),
    ('', '-o smtpd_hard_error_limit=many', r'master\.cf: line \d+: bad numerical configuration: smtpd_hard_error_limit = many', True),
    ('', '-o body_checks= -o smtp_bind_address=192.0.2.1', r'master\.cf: line \d+: -o body_checks= has no effect on smtpd\(8\), it belongs to cleanup: write receive_override_options=', False),
    ('', '-o smtpd_recipient_restrictions=permit_mynetworks, reject', r'master\.cf: line \d+: service \S+: unexpected command-line argument: reject: the value of an -o ends at the first blank', True),
    ('', '-o smtpd_recipient_restrictions=permit_mynetwork,reject', r'master\.cf: line \d+: unknown smtpd restriction: "permit_mynetwork": is permit_mynetworks meant\?', False),
    ('', '-o smptd_banner=x', r'master\.cf: line \d+: unused parameter: smptd_banner=x: is smtpd_banner meant\?', False),
    ('smtpd_sasl_auth_enable = yes\nsmtpd_sasl_path = sasl2/smtpd.conf', '', r'main\.cf, line \d+: smtpd_sasl_path = sasl2/smtpd\.conf looks like a file name', False),
    ('smtpd_tls_security_level = may\nsmtpd_tls_chain_files = ${config_directory}/main.cf', '', r'main\.cf, line \d+: smtpd_tls_chain_files: \S+/main\.cf must begin with a private key', None),
]
with Instance() as mail:
    good = {name: open(f'{mail.config}/{name}').read() for name in ('main.cf', 'master.cf')}
    for main, options, said, is_refused in WRONG:
        mail.write('main.cf', good['main.cf'] + main + '\n')
        mail.write('master.cf', good['master.cf'].replace(' smtpd\n', f' smtpd {options}\n', 1))
        what = main.replace('\n', '; ') or options
        checked = mail.run('postfix', 'check', check=False)
        expect_match(said, checked.stderr, f'what check says of "{what}"')
        if is_refused is not None:
            expect(checked.returncode != 0, is_refused, f'check of "{what}" fails')
        reloaded = mail.run('postfix', 'reload', check=False)
        if is_refused:      # hints are for a terminal
            expect_match(said, reloaded.stderr + mail.log(), f'what reload says of "{what}"')
        if is_refused is not None:
            expect(reloaded.returncode != 0, is_refused, f'the reload with "{what}" fails')
        if is_refused:
            mail.send()      # with the settings from before

    # A program that is not there yet: what serves its port meanwhile is said.
    mail.write('main.cf', good['main.cf'])
    mail.write('master.cf', good['master.cf'].replace(' smtpd\n', ' postscreen\n  -o postscreen_upstream_proxy_protocol=haproxy\n', 1) + 'smtpd pass - - n - - smtpd\n')
    checked = mail.run('postfix', 'check', check=False)
    expect_match(r'master\.cf: line \d+: service \S+ needs postscreen\(8\), which this release does not have yet: write smtpd in its place, with the '
                 r'-o lines of the line "smtpd pass" and smtpd_upstream_proxy_protocol for postscreen_upstream_proxy_protocol', checked.stderr, 'postscreen')
    expect(checked.returncode != 0, True, 'check of postscreen fails')
