"""Settings that can work in part start with a warning that names file and line, on the terminal and in the log."""
from instance import Instance, expect_match

DOUBTS = {
    'smtpd_recipient_restrictions = permit_mynetworks, rejekt': r'rejekt',
    'smtpd_client_restrictions = check_client_access': r'check_client_access',
    'no_parameter_of_ours = 1': r'no_parameter_of_ours',
}
for doubt, text in DOUBTS.items():
    with Instance(start=False, main=doubt + '\n') as mail:
        line = open(f'{mail.config}/main.cf').read().split('\n').index(doubt) + 1
        expect_match(rf'warning: .*(main\.cf, line {line}: .*{text}|{text}.*main\.cf)', mail.start().stderr, f'what the terminal is told of "{doubt}"')
