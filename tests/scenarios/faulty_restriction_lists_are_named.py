"""Table types that do not exist and restrictions that cannot be carried out stop the start, with file and line; what is
only doubtful is said by postfix check, and the server runs."""
from instance import Instance, expect, expect_match

FATAL = {
    'virtual_alias_maps = hasch:/etc/postfix/virtual': r'main\.cf, line \d+: virtual_alias_maps: unsupported dictionary type: hasch \(is hash meant\?\)',
    'mynetworks = 127.0.0.0/8 nonesuch:/x': r'main\.cf, line \d+: mynetworks: unsupported dictionary type: nonesuch',
    'smtpd_sender_restrictions = check_sender_access nonesuch:/x': r'main\.cf, line \d+: smtpd_sender_restrictions: unsupported dictionary type: nonesuch',
    'address_verify_map = memcache:/etc/x': r'address_verify_map: memcache:/etc/x: answers are kept in a file',
}
HINTS = {
    'smtpd_client_restrictions = reject_rbl_client list.dsbl.org': r'main\.cf, line \d+: smtpd_client_restrictions: reject_rbl_client list\.dsbl\.org: it ended in 2008',
    'smtpd_client_restrictions = check_client_access /etc/postfix/access': r'main\.cf, line \d+: .*check_client_access: bad argument "/etc/postfix/access": need maptype:mapname',
    'smtpd_client_restrictions = check_policy_service private/policy': r'main\.cf, line \d+: .*bad server "private/policy": need inet:host:port or unix:path',
    'smtpd_client_restrictions = permit_mynetworx': r'main\.cf, line \d+: unknown smtpd restriction: "permit_mynetworx": is permit_mynetworks meant\?',
}
for line, text in FATAL.items():
    with Instance(start=False, main=line + '\n') as mail:
        for command in ('check', 'start'):
            done = mail.run('postfix', command, check=False)
            expect(done.returncode != 0, True, f'postfix {command} with "{line}" fails')
            expect_match(text, done.stderr + mail.log(), f'what postfix {command} says of "{line}"')
for line, text in HINTS.items():
    with Instance(start=False, main=line + '\n') as mail:
        done = mail.run('postfix', 'check')
        expect_match(text, done.stderr, f'what postfix check says of "{line}"')
# A reload is refused likewise, and the server goes on as it was.
with Instance() as mail:
    mail.set('smtpd_sender_restrictions = check_sender_access nonesuch:/x\n')
    done = mail.run('postfix', 'reload', check=False)
    expect_match(r'unsupported dictionary type: nonesuch', done.stderr + mail.log(), 'the reload')
    mail.send()
    mail.wait_for_mail('alice')
