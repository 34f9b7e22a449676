"""A policy server that babbles, stalls, never ends, hangs up or sends control characters costs bounded time and memory:
the client is told to try later, and nothing it said becomes a line of a reply, of a header or of another request."""
from instance import Instance, expect, expect_match
from policy_server import SILENCE, PolicyServer

PROBLEM = '451 4.3.5 <alice@example.test>: Recipient address rejected: Server configuration problem'
CASES = [
    ('garbage', ['hello world\n\n'], PROBLEM),
    ('no action', ['\n'], PROBLEM),
    ('a line without end', ['action=' + 'x' * 10_000_000], PROBLEM),
    ('lines without end', ['name=value\n' * 100_000], PROBLEM),
    ('hanging up', [None], PROBLEM),
    ('half an answer', ['action=REJ'], PROBLEM),
    ('silence', [SILENCE], PROBLEM),
    ('bytes that are no text', [b'action=REJECT \xff\xfe\n\n'], PROBLEM),
    ('a carriage return', ['action=REJECT a\r250 ok\n\n'], '554 5.7.1 <alice@example.test>: Recipient address rejected: a 250 ok'),
    ('an unknown action', ['action=EXPLODE\n\n'], '451 4.3.5 Server configuration error'),
    ('a table', ['action=check_client_access static:OK\n\n'], '451 4.3.5 Server configuration error'),
]
policy = PolicyServer(['action=DUNNO\n\n'])
with Instance(main=f'''\
smtpd_recipient_restrictions = check_policy_service {{ inet:127.0.0.1:{policy.port}, timeout=1s, retry_delay=1s, try_limit=2 }}
''') as mail:
    def attempt(sender='<a@remote.test>'):
        with mail.dialogue(source='127.0.0.2') as d:
            d.say('EHLO client.test')
            d.say(f'MAIL FROM:{sender}')
            return d.say('RCPT TO:<alice@example.test>')

    # In bounded time: no dialogue waits longer than instance.LIMIT for a reply.
    for what, answers, want in CASES:
        policy.answers[:] = answers
        expect(attempt(), want, what)
    expect_match(r'warning: missing attribute action in input from 127\.0\.0\.1:\d+$', mail.log(), 'the complaint about garbage')
    expect_match(r'warning: problem talking to server 127\.0\.0\.1:\d+: Connection timed out$', mail.log(), 'the complaint about silence')
    with open(f'/proc/{mail.engine_pid()}/status') as f:
        kilobytes = int(expect_match(r'VmHWM:\s+(\d+)', f.read(), 'memory')[1])
    expect(kilobytes < 400_000, True, f'{kilobytes} kB of memory at most')

    # A second answer to one question must not become the answer to the next.
    policy.answers[:] = ['action=DUNNO\n\naction=REJECT late\n\n', 'action=DUNNO\n\n']
    expect([attempt(), attempt()], ['250 2.1.5 Ok'] * 2, 'after an answer too many')

    # What a client says stays one attribute.
    policy.requests.clear()
    policy.answers[:] = ['action=DUNNO\n\n']
    attempt('<"a\x0bsasl_username=root\\\x0c"@remote.test>')
    attempt('<"a=b sasl_username=root"@remote.test>')
    expect([r['sasl_username'] for r in policy.requests if r], [''] * len([r for r in policy.requests if r]), 'login names')

    # A header is one header.
    policy.answers[:] = ['action=PREPEND X-Policy: yes\rX-Evil: yes\x0b\n\n']
    with mail.dialogue(source='127.0.0.2') as d:
        for line in ('EHLO client.test', 'MAIL FROM:<a@remote.test>', 'RCPT TO:<alice@example.test>', 'DATA'):
            d.say(line)
        d.send('Subject: x\r\n\r\nbody\r\n.\r\n')
        expect(d.reply()[:3], '250', 'the message')
    message = mail.wait_for_mail('alice')[0]
    expect_match(r'^X-Policy: yes X-Evil: yes', message, 'the header')
    expect('\nX-Evil' in message, False, 'a second header')
