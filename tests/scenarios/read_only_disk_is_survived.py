"""A queue whose file system has become read-only: the start is refused with a reason, nothing is lost, and it goes on when it can be written again."""
import subprocess
from instance import FarServer, Instance, expect, expect_match, skip
from own_mounts import in_own_mount_namespace, mount_tmpfs

in_own_mount_namespace()
far = FarServer(answers={'RCPT': '450 4.2.1 busy'})
with Instance(start=False, main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
    mount_tmpfs(mail.spool, '300m')
    mail.start()
    mail.send('a@remote.test', ['b@far.test'])
    mail.wait_for_entries(lambda q: len(q) == 1 and q[0]['queue_name'] == 'deferred', 'one deferred message')
    mail.stop()

    def remount(how):
        if subprocess.run(['mount', '-o', f'remount,{how}', mail.spool], capture_output=True).returncode:
            skip(f'cannot remount {how}')
    remount('ro')
    refused = mail.run('postfix', 'start', check=False)
    expect(refused.returncode, 1, 'the exit status of a start on a read-only disk')
    expect_match(r'Read-only file system', refused.stderr + mail.log(), 'the reason')
    expect(len(mail.entries()), 1, 'messages in the listing of the read-only queue')
    remount('rw')
    far.answers.clear()
    mail.start()
    mail.run('postqueue', '-f')
    far.wait_for()
    mail.wait_for_empty_queue()
