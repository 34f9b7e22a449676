"""Whoever mends what a refused start or reload has named can start: faults of main.cf, of lines of master.cf, of -o entries and of
lists are named together, and none comes up only when another is mended."""
from instance import Instance, expect, expect_match

# What stops every program, what stops the server, and what only a look at the lists finds.
FAULTS = {
    'inet_protocols = ipv5\n': r'ipv5',
    'smtpd_timeout = 5x\n': r'smtpd_timeout: bad time value or unit: 5x',
    'disable_vrfy_command = maybe\n': r'bad boolean configuration: disable_vrfy_command = maybe',
    'transport_maps = hsah:/etc/postfix/transport\n': r'unsupported dictionary type: hsah',
}
SERVICES = {
    '127.0.0.1:1 inet n - n\n': r'bad field count',
    '127.0.0.1:2 inet n - n - - smtpd\n  -o smtpd_tls_auth_only=yes\n  -o smtpd_delay_reject=perhaps\n':
        r'bad boolean configuration: smtpd_delay_reject = perhaps',
    '127.0.0.1:3 inet n - n - - smptd\n': r'runs "smptd", which Ekiden does not know',
}

with Instance(start=False) as mail:
    main, master = (open(f'{mail.config}/{name}').read() for name in ('main.cf', 'master.cf'))

    def say(faults, services):
        mail.write('main.cf', main + ''.join(faults))
        mail.write('master.cf', master + ''.join(services))

    # Any two of them, and all of them.
    everything = list(FAULTS) + list(SERVICES)
    combinations = [(a, b) for i, a in enumerate(everything) for b in everything[i + 1:]] + [tuple(everything)]
    for combination in combinations:
        say([fault for fault in combination if fault in FAULTS], [fault for fault in combination if fault in SERVICES])
        for command in ('check', 'start'):
            refused = mail.run('postfix', command, check=False)
            expect(refused.returncode, 1, f'the exit status of {command} with {combination}')
            for fault in combination:
                expect_match((FAULTS | SERVICES)[fault], refused.stderr, f'what {command} says of {combination}')
    say([], [])
    mail.start()
    say(everything[:2], everything[4:])
    refused = mail.run('postfix', 'reload', check=False)
    expect(refused.returncode, 1, 'the exit status of the reload')
    for fault in everything[:2] + everything[4:]:
        expect_match((FAULTS | SERVICES)[fault], refused.stderr, 'what the reload says')
    expect_match(r'line \d+: bad boolean configuration: smtpd_delay_reject = perhaps: write yes or no', refused.stderr, 'the place and the advice')
