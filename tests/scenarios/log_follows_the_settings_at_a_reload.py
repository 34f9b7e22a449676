"""A reload that changes where the log goes takes effect at once, in all processes: another maillog_file, records on and off;
postfix logrotate sets the file of the records aside as well."""
import glob, gzip, json, os
from instance import Instance, expect, expect_match, text_of, wait_until

with Instance() as mail:
    records, other = f'{mail.folder}/mail.json', f'{mail.folder}/other.log'
    mail.send(to=['alice@example.test'])
    mail.wait_for_log(r'to=<alice@example\.test>, .*status=sent')

    mail.set(f'ekiden_log_format = json\nekiden_log_file = {records}\n')
    mail.run('postfix', 'reload')
    wait_until(lambda: '"reload -- ' in text_of(records), 'the word of the reload in the records')
    mail.send(to=['bob@example.test'])
    wait_until(lambda: 'to=<bob@example.test>' in text_of(records), 'a record of the delivery')
    expect('to=<alice@' in text_of(records), False, 'records of what was before')

    mail.run('postfix', 'logrotate')
    old, = wait_until(lambda: glob.glob(records + '.*.gz'), 'the records, compressed')
    with gzip.open(old, 'rt') as f:
        expect('to=<bob@example.test>' in f.read(), True, 'the delivery in the old records')
    mail.send(to=['carol@example.test'])
    wait_until(lambda: 'to=<carol@example.test>' in text_of(records), 'the next delivery in the new records')
    for line in text_of(records).splitlines():
        json.loads(line)

    mail.set(f'maillog_file = {other}\nekiden_log_format =\n')
    mail.run('postfix', 'reload')
    wait_until(lambda: 'reload -- ' in text_of(other), 'the word of the reload in the other file')
    size = os.path.getsize(records)
    mail.send(to=['alice@example.test'])
    wait_until(lambda: 'to=<alice@example.test>' in text_of(other), 'the delivery in the other file')
    expect(os.path.getsize(records), size, 'records, when they are off')
    expect_match(r'(?m)^\w+ +\d+ [\d:]+ \S+ postfix/smtpd\[\d+\]: disconnect from', text_of(other), 'lines of the engine')
