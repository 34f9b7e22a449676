"""s-nail (mailx) delivers a message with an attachment over SMTP."""
import email, os, shutil, subprocess
from instance import Instance, expect, skip

if not shutil.which('s-nail'):
    skip('s-nail is not installed')
with Instance() as mail:
    data = bytes(range(256)) * 40
    with open(f'{mail.folder}/blob.bin', 'wb') as f:
        f.write(data)
    sent = subprocess.run(['s-nail', '-:/', '-S', 'v15-compat', '-S', f'mta=smtp://127.0.0.1:{mail.port}', '-S', 'smtp-auth=none', '-S', 'smtp-hostname=client.test', '-S', 'ttycharset=utf-8', '-S', 'sendwait',
                           '-r', 'a@remote.test', '-s', 'Grüße', '-a', f'{mail.folder}/blob.bin', '-.', 'alice@example.test'],
                          input='Schöne Grüße\n', capture_output=True, text=True, timeout=30, env=dict(os.environ, LC_ALL='C.UTF-8', HOME=mail.folder))
    expect(sent.returncode, 0, sent.stderr)
    text, blob = email.message_from_string(mail.wait_for_mail('alice')[0]).get_payload()
    expect(text.get_payload(decode=True).decode(), 'Schöne Grüße\n', 'the text')
    expect(blob.get_payload(decode=True), data, 'the attachment')
