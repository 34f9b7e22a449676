"""Where the file of the records is not there any more, postfix logrotate says so and leaves the log where it is; once a reload
has made the file anew, both are set aside. Where the second of the two cannot be renamed, the first gets its name back."""
import glob, os
from instance import Instance, expect, wait_until

with Instance(start=False) as mail:
    records = f'{mail.folder}/mail.json'
    mail.set(f'ekiden_log_format = json\nekiden_log_file = {records}\n')
    mail.start()
    os.remove(records)
    refused = mail.run('postfix', 'logrotate', check=False)
    expect(refused.returncode, 1, 'the exit status')
    expect(glob.glob(mail.log_file + '.*'), [], 'logs set aside')
    mail.wait_for_log(r'fatal: "postfix logrotate": \S+/mail\.json: No such file or directory')
    mail.send(to=['alice@example.test'])
    mail.wait_for_log(r'to=<alice@example\.test>, .*status=sent')

    mail.run('postfix', 'reload')
    wait_until(lambda: os.path.exists(records), 'the new file of the records')
    mail.run('postfix', 'logrotate')
    for path in (mail.log_file, records):
        expect(len(glob.glob(path + '.*.gz')), 1, f'old {path}')

# A name that gets too long with the suffix behind it: the log has been renamed by then.
with Instance(start=False) as mail:
    records = f'{mail.folder}/{"r" * 245}.json'
    mail.set(f'ekiden_log_format = json\nekiden_log_file = {records}\n')
    mail.start()
    refused = mail.run('postfix', 'logrotate', check=False)
    expect(refused.returncode, 1, 'the exit status')
    mail.wait_for_log(r'fatal: rename \S+ to \S+: File name too long')
    expect(glob.glob(mail.log_file + '.*'), [], 'logs set aside')
    mail.send(to=['alice@example.test'])
    mail.wait_for_log(r'to=<alice@example\.test>, .*status=sent')
