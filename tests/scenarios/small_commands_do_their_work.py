"""qshape shows the queue by domain and age, postkick collects mail, postlock locks, postconf and postmap speak JSON; silent
clients of the control socket hold up no command."""
import json, os, socket, subprocess
from instance import Instance, expect, expect_match, free_port, tool, wait_until

with Instance(main=f'relayhost = [127.0.0.1]:{free_port()}\n') as mail:
    def run(name, *words, status=0):
        done = subprocess.run([tool(name), '-c', mail.config, *words], capture_output=True, text=True, timeout=30)
        expect(done.returncode, status, f'{name} {words}: {done.stdout}{done.stderr}')
        return done.stdout

    for to in (['x@far.test', 'y@far.test'], ['z@other.test']):
        mail.send(sender='a@here.test', to=to)
    wait_until(lambda: run('postqueue', '-j').count('"deferred"') == 2, 'two deferred messages')
    table = run('qshape', 'deferred').splitlines()
    expect(table[0].split(), 'T 5 10 20 40 80 160 320 640 1280 1280+'.split(), 'headings')
    expect([row.split()[:3] for row in table[1:]], [['TOTAL', '3', '3'], ['far.test', '2', '2'], ['other.test', '1', '1']], 'rows')
    expect(run('qshape', '-s', 'deferred').splitlines()[2].split()[:3], ['here.test', '2', '2'], 'senders')
    expect(run('qshape').splitlines()[1].split()[1], '0', 'incoming and active')
    run('qshape', 'nowhere', status=2)

    # Clients that say nothing: every place is taken, and commands get one all the same.
    silent = []
    for _ in range(100):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.connect(f'{mail.spool}/public/ekiden')
        silent.append(s)
    expect(run('postqueue', '-j').count('"deferred"'), 2, 'the listing among silent clients')
    run('postkick', 'public', 'pickup', 'W')
    run('postkick', 'public', 'qmgr', 'DF')
    run('postkick', 'public', 'smtpd', 'X', status=1)
    for s in silent:
        s.close()

    box = os.path.join(mail.folder, 'box')
    open(box, 'w').close()
    expect(run('postlock', '-l', 'dotlock, fcntl', box, 'sh', '-c', f'test -e {box}.lock && echo locked'), 'locked\n', 'what runs under the lock')
    expect(os.path.exists(box + '.lock'), False, 'the lock file afterwards')
    run('postlock', '-l', 'flock', box, 'sh', '-c', 'exit 7', status=7)
    run('postlock', box, '/nonexistent/program', status=1)
    run('postlock', os.path.join(mail.folder, 'new'), 'true')
    run('postlock', os.path.join(mail.folder, 'no', 'folder'), 'true', status=75)
    run('postlock', '-l', 'paperclip', box, 'true', status=75)

    expect(json.loads(run('postconf', '-j', 'myhostname')), {'myhostname': 'mail.example.test'}, 'postconf -j')
    for line in run('postconf', '-jn').splitlines():
        json.loads(line)
    mail.write('table', 'key "quoted" value\n')
    expect(json.loads(run('postmap', '-j', '-q', 'key', f'texthash:{mail.config}/table')), {'key': '"quoted" value'}, 'postmap -j -q')
    run('postmap', '-j', f'texthash:{mail.config}/table', status=1)
    expect_match(r'^OpenSSL \d', run('postconf', '-T', 'run-version'), 'postconf -T')
    expect('rsa\n' in run('postconf', '-T', 'public-key-algorithms'), True, 'algorithms')
    expect(run('postconf', '-a'), 'cyrus\ndovecot\nekiden\n', 'postconf -a')
    for name in ('qmqp-source', 'qmqp-sink'):
        done = subprocess.run([tool(name)], capture_output=True, text=True)
        expect((done.returncode, 'QMQP is not supported' in done.stderr), (1, True), name)
