"""Started with standard output and error closed, a command's next file or socket does not take their place."""
import os, subprocess

from instance import Instance, expect, tool, wait_until

HEAD = b'ekiden-maildrop 1\nsender a@b.test\nrcpt bob@example.test\ncontent\n'
with Instance() as mail:
    for closed in ((2,), (1, 2)):
        p = subprocess.Popen([tool('postdrop'), '-r', '-c', mail.config], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             preexec_fn=lambda: [os.close(number) for number in closed])
        p.stdin.write(HEAD + b'18\nSubject: x\n\n')
        p.stdin.flush()
        wait_until(lambda: [n for n in os.listdir(mail.spool + '/maildrop') if n.startswith('.')], 'a message half handed in')
        for number in closed:
            expect(os.readlink(f'/proc/{p.pid}/fd/{number}'), '/dev/null', f'descriptor {number}')
        p.stdin.write(b'hello\n0\n')
        p.stdin.close()
        p.wait()
    for text in mail.wait_for_mail('bob', 2):
        expect(text.endswith('\n\nhello\n'), True, text)
