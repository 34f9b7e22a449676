"""Whoever hands mail in himself may put line ends into its addresses: they begin no line of a header, a mailbox or a dialogue."""
from instance import Instance, FarServer, expect, expect_match

EVIL = '%0D%0AFrom forged@evil.test Mon Jan  1 00:00:00 2024%0AX-Forged: yes%0A%0AMAIL FROM:<forged@evil.test>%0D%0A%00'
far = FarServer()
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\nvirtual_mailbox_maps = inline:{{ alice@example.test=alice/ bob@example.test=bob }}\n') as mail:
    def drop(head):
        text = f'ekiden-maildrop 1\n{head}content\n18\nSubject: x\n\nhello\n0\n'
        return mail.run('postdrop', '-r', input=text, check=False)

    for head in (f'sender "a{EVIL}"@b.test\nrcpt bob@example.test\nrcpt u@far.test\n',
                 f'sender alice@example.test\nenvid x{EVIL}\nrcpt "bob{EVIL}"@example.test\nrcpt "u{EVIL}"@far.test\n'):
        expect(drop(head).stdout.splitlines()[1:], ['ok'], 'what postdrop says')
    expect('failed' in drop('sender a@b.test\nverp %0D%0A\nrcpt u@far.test\n').stdout, True, 'VERP delimiters that end lines are refused')
    report, = mail.wait_for_mail('alice')
    mail.wait_for_empty_queue()
    with open(mail.vmail + '/bob') as f:
        box = f.read()
    expect_match(r'^Return-Path: <.*forged', box, "the mailbox")
    everything = '\n'.join([box, report, *(m[2].decode() for m in far.messages), *far.commands])
    for start in ('From forged', 'X-Forged', 'MAIL FROM:<forged'):
        expect([line for line in everything.replace('\r', '\n').split('\n') if line.startswith(start)], [], f'lines that begin with {start}')
