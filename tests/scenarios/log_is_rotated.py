"""postfix logrotate sets the log aside, compressed, and everything goes on in a new one; nothing is lost or written twice."""
import glob, gzip
from instance import Instance, expect, wait_until

with Instance() as mail:
    mail.send(to=['alice@example.test'])
    mail.wait_for_log(r'to=<alice@example\.test>, .*status=sent')
    mail.run('postfix', 'logrotate')
    old, = wait_until(lambda: glob.glob(mail.log_file + '.*.gz'), 'the compressed log')
    mail.send(to=['bob@example.test'])
    mail.wait_for_log(r'to=<bob@example\.test>, .*status=sent')
    with gzip.open(old, 'rt') as f:
        text = f.read()
    expect((text.count('to=<alice@'), text.count('to=<bob@')), (1, 0), 'deliveries in the old log')
    expect((mail.log().count('to=<alice@'), mail.log().count('to=<bob@')), (0, 1), 'deliveries in the new log')
