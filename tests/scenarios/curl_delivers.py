"""curl delivers over smtp://; its exit status tells a refusal."""
import shutil, subprocess
from instance import Instance, expect, expect_match, skip

if not shutil.which('curl'):
    skip('curl is not installed')
with Instance() as mail:
    def curl(to):
        return subprocess.run(['curl', '-sS', f'smtp://127.0.0.1:{mail.port}/client.test', '--mail-from', 'a@remote.test', '--mail-rcpt', to, '--upload-file', '-', '--crlf'],
                              input='Subject: from curl\n\n.starts with a dot\n', capture_output=True, text=True, timeout=30)
    sent = curl('alice@example.test')
    if 'not supported' in sent.stderr:
        skip('this curl cannot speak SMTP')
    expect(sent.returncode, 0, sent.stderr)
    expect_match(r'^Subject: from curl$.*^\.starts with a dot$', mail.wait_for_mail('alice')[0], 'the message')
    expect(curl('nobody@example.test').returncode != 0, True, 'an unknown user is an error')
