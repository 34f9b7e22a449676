"""A mailbox whose disk is full is tried later; there is no half message in it, and no bounce."""
import os
from instance import Instance, expect
from own_mounts import fill, in_own_mount_namespace, mount_tmpfs

in_own_mount_namespace()
with Instance(start=False) as mail:
    mount_tmpfs(mail.vmail, '1m', owner=mail.owner)
    ballast = fill(mail.vmail)
    mail.start()
    mail.send(message='Subject: x\n\n' + 'x\n' * 10000)
    mail.wait_for_log(r'to=<alice@example\.test>, relay=virtual, .*dsn=4\.\d\.\d, status=deferred \(.*No space left on device')
    expect(mail.mailbox('alice'), [], 'what is in the mailbox')
    ballast.remove()
    mail.run('postqueue', '-f')
    mail.wait_for_mail('alice')
    expect([f for _, _, files in os.walk(mail.vmail) for f in files if '/tmp' in f], [], 'what is left in tmp')
    mail.wait_for_empty_queue()
