"""A start with settings that cannot work fails at once and names what is wrong; nothing is left running."""
import os
from instance import Instance, expect, expect_match

FAULTS = {
    'message_size_limit = lots': r'bad numerical configuration: message_size_limit = lots',
    'smtpd_helo_required = perhaps': r'bad boolean configuration: smtpd_helo_required = perhaps',
    'minimal_backoff_time = 5x': r'minimal_backoff_time',
    'mail_owner = nobody-of-this-name': r'nobody-of-this-name',
    'setgid_group = mail': r'user mail and group mail have the same group ID',
    'this is no assignment': r"main\.cf, line \d+: missing '=' after attribute name",
    'myhostname = bad name': r'parameter myhostname: bad parameter value: bad name',
    'inet_interfaces = 192.0.2.77': r'192\.0\.2\.77',
}
for fault, text in FAULTS.items():
    if fault.startswith(('mail_owner', 'setgid_group')) and os.geteuid() != 0:
        continue        # then it is the caller in any case
    with Instance(start=False, main=fault + '\n') as mail:
        started = mail.run('postfix', 'start', check=False)
        expect(started.returncode != 0, True, f'the start with "{fault}" is refused')
        expect_match(text, started.stderr + mail.log(), f'what is said of "{fault}"')
        expect(mail.run('postfix', 'status', check=False).returncode != 0, True, 'nothing runs')
