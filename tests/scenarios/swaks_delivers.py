"""swaks, the testers' SMTP client, delivers; a refusal becomes its exit status."""
import shutil, subprocess
from instance import Instance, expect, expect_match, skip

if not shutil.which('swaks'):
    skip('swaks is not installed')
with Instance() as mail:
    def swaks(to, *more):
        return subprocess.run(['swaks', '--server', f'127.0.0.1:{mail.port}', '--from', 'a@remote.test', '--to', to, '--helo', 'client.test', '--header', 'Subject: from swaks', *more],
                              capture_output=True, text=True, timeout=30)
    sent = swaks('alice@example.test,bob@example.test', '--body', 'a swaks body')
    expect(sent.returncode, 0, sent.stdout + sent.stderr)
    for user in ('alice', 'bob'):
        expect_match(r'^Subject: from swaks$.*^a swaks body$', mail.wait_for_mail(user)[0], f'the message of {user}')
    expect(swaks('alice@example.test', '--pipeline').returncode, 0, 'with pipelining')
    expect(swaks('nobody@example.test').returncode, 24, 'the exit status for an unknown user (no recipients)')
