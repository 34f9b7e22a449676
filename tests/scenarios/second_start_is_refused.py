"""A second start of the same instance is refused and leaves the first alone; another instance starts beside it."""
from instance import Instance, expect, expect_match

with Instance() as mail:
    master, engine = mail.master_pid(), mail.engine_pid()
    for word in ('start', 'start-fg'):
        second = mail.run('postfix', word, check=False)
        expect(second.returncode, 1, f'the exit status of the second {word}')
    expect(len(mail.wait_for_log(r'postfix-script\[\d+\]: fatal: the Postfix mail system is already running', count=2)), 2, 'lines in the log')
    expect((mail.master_pid(), mail.engine_pid()), (master, engine), 'the processes')
    with Instance() as other:
        other.send()
        other.wait_for_mail('alice')
    mail.send()
    mail.wait_for_mail('alice')
