"""ekiden_log_format = json: each line of the log, whoever says it, has a record in ekiden_log_file, with the same words; a file
that was renamed is opened anew by reload; a wrong value is refused."""
import json, os, re, socket
from busy_site import busy_site
from instance import Instance, expect, expect_match, free_port, wait_until


def records(path):
    with open(path) as f:
        return [json.loads(line) for line in f.read().splitlines()]


LEVEL = r'(?:(warning|error|fatal|panic): )?'
with busy_site(json_log=True) as mail:
    path = os.path.join(mail.folder, 'mail.json')
    said = re.findall(rf'^\w+ +\d+ [\d:]+ (\S+) (\S+)\[(\d+)\]: {LEVEL}(.*)$', mail.log(), re.M)
    got = wait_until(lambda: len(r := records(path)) >= len(said) and r, 'a record of each line')
    expect(sorted((r['host'], r['service'], str(r['pid']), r['level'], r['message']) for r in got),
           sorted((host, tag, pid, level or 'info', text) for host, tag, pid, level, text in said), 'the records')
    for r in got:
        expect_match(r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$', r['time'], 'the time')

    def events(**fields):
        return [r for r in got if all(r.get(name) == value for name, value in fields.items())]
    bounced, = events(event='delivery', status='bounced', service='postfix/smtp')
    expect((bounced['to'], bounced['dsn'], bounced['text']), ('no@far.test', '5.1.1', 'host 127.0.0.1[127.0.0.1] said: 550 5.1.1 no such user (in reply to RCPT TO command)'), 'a bounce')
    expect((type(bounced['delay']), bounced['queue_id'] != ''), (float, True), 'its numbers')
    expect(sorted(r['client_address'] for r in events(event='reject', stage='RCPT')), ['127.0.0.2', '127.0.0.3', '127.0.0.3', '127.0.0.3'], 'refused clients')
    expect({r['client_address'] for r in events(event='login failure')}, {'127.0.0.4'}, 'who failed to log in')
    expect([r['orig_to'] for r in events(event='delivery') if 'orig_to' in r], ['office@example.test'] * 2, 'addresses before the alias')
    expect((len(events(event='connect')), len(events(event='disconnect')), len(events(event='lost connection'))), (20, 20, 3), 'connections')
    expect({'d3Jvbmc=', 'AGJvYgB3cm9uZw=='} & set(re.findall(r'[\w=]+', open(path).read())), set(), 'passwords')

    os.rename(path, path + '.1')
    mail.run('postfix', 'reload')
    wait_until(lambda: os.path.exists(path), 'a new file')
    mail.send(to=['alice@example.test'])
    wait_until(lambda: [r for r in records(path) if r['event'] == 'removed'], 'the new message in the new file')

    mail.set('ekiden_log_format = xml\n')
    refused = mail.run('postfix', 'reload', check=False)
    expect_match(r'ekiden_log_format: unrecognized value: xml', refused.stderr + mail.log(), 'what is said of a wrong value')
# Other processes of the server's write there too.
port = free_port()
with Instance(start=False, master=f'127.0.0.1:{port} inet n n n - 0 spawn user=nobody argv=/bin/false\n') as mail:
    mail.set(f'ekiden_log_format = json\nekiden_log_file = {mail.folder}/mail.json\n')
    mail.start()
    with socket.create_connection(('127.0.0.1', port)) as s:
        s.recv(1)
    wait_until(lambda: [r for r in records(f'{mail.folder}/mail.json') if r['service'] == 'postfix/spawn' and r['level'] == 'warning'], "a record of spawn's warning")
with Instance(main='ekiden_log_format = json\n', start=False) as mail:
    refused = mail.run('postfix', 'start', check=False)
    expect(refused.returncode != 0, True, 'a start without a file')
    expect_match(r'set ekiden_log_file', refused.stderr + mail.log(), 'what is said of it')
