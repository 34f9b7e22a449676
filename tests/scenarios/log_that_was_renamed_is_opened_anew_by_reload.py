"""logrotate(8) renames the log file and has the server reload: what comes then is in a new file, and nothing is lost."""
import os
from instance import Instance, expect, wait_until

with Instance() as mail:
    mail.send(to=['alice@example.test'])
    mail.wait_for_log(r'to=<alice@example\.test>, .*status=sent')
    old = mail.log_file + '.1'
    os.rename(mail.log_file, old)
    mail.run('postfix', 'reload')
    wait_until(lambda: os.path.exists(mail.log_file), 'a new log file')
    mail.send(to=['bob@example.test'])
    mail.wait_for_log(r'to=<bob@example\.test>, .*status=sent')
    with open(old) as f:
        text = f.read()
    expect((text.count('to=<alice@'), text.count('to=<bob@')), (1, 0), 'deliveries in the old log')
    expect((mail.log().count('to=<alice@'), mail.log().count('to=<bob@')), (0, 1), 'deliveries in the new log')
