"""Real clients, unchanged: Python's smtplib, s-nail with a .mailrc, swaks with every mechanism, curl, msmtp, nodemailer, and a
dialogue typed into telnet."""
import base64, os, shutil, subprocess
from dovecot import Dovecot
from instance import Instance, expect, expect_match

NAME, PASSWORD = 'alice@example.test', 'secret of alice'


def have(program):
    if not shutil.which(program):
        print(f'{program} is not installed')
        return False
    return True


def run(*command, **more):
    p = subprocess.run(command, capture_output=True, text=True, timeout=60, **more)
    expect(p.returncode, 0, f'{command[0]}: {p.stdout}{p.stderr}')
    return p.stdout


with Dovecot(users={NAME: PASSWORD, 'nospace': 'secret'}) as dovecot, Instance(main=dovecot.main() + 'mynetworks = 192.0.2.1\nsmtpd_recipient_restrictions = permit_sasl_authenticated, reject\n') as mail:
    count = 0

    def arrived(client):
        global count
        count += 1
        expect_match('^Subject: from ' + client, ''.join(mail.wait_for_mail('bob', count)), f'the message of {client}')

    with mail.smtp() as s:
        s.login(NAME, PASSWORD)
        s.sendmail(NAME, ['bob@example.test'], 'Subject: from smtplib\n\nx\n')
    arrived('smtplib')
    if have('swaks'):
        mechanisms = ['PLAIN', 'LOGIN', 'CRAM-MD5']
        if subprocess.run(['perl', '-MAuthen::SASL', '-e1'], capture_output=True).returncode == 0:
            mechanisms.append('DIGEST-MD5')
        for mechanism in mechanisms:
            run('swaks', '--server', f'127.0.0.1:{mail.port}', '--from', NAME, '--to', 'bob@example.test', '--helo', 'client.test', '--auth', mechanism,
                '--auth-user', NAME, '--auth-password', PASSWORD, '--header', f'Subject: from swaks {mechanism}')
            arrived(f'swaks {mechanism}')
            mail.wait_for_log(f'sasl_method={mechanism}, sasl_username={NAME}')
    if have('s-nail'):
        with open(f'{mail.folder}/mailrc', 'w') as f:
            f.write(f'set smtp=127.0.0.1:{mail.port}\nset smtp-auth=login\nset smtp-auth-user=nospace\nset smtp-auth-password=secret\nset from=alice@example.test\nset sendwait\n')
        run('s-nail', '-n', '-s', 'from s-nail', 'bob@example.test', input='x\n', env=dict(os.environ, MAILRC=f'{mail.folder}/mailrc', HOME=mail.folder, LC_ALL='C.UTF-8'))
        arrived('s-nail')
    if have('curl'):
        run('curl', '-sS', f'smtp://127.0.0.1:{mail.port}/client.test', '--mail-from', NAME, '--mail-rcpt', 'bob@example.test', '--user', f'{NAME}:{PASSWORD}', '-T', '-', input='Subject: from curl\n\nx\n')
        arrived('curl')
    if have('msmtp'):
        for method in ('plain', 'login', 'cram-md5', 'scram-sha-256'):
            run('msmtp', '--host=127.0.0.1', f'--port={mail.port}', f'--auth={method}', f'--user={NAME}', f'--passwordeval=echo "{PASSWORD}"', f'--from={NAME}', '--tls=off', 'bob@example.test',
                input=f'Subject: from msmtp {method}\n\nx\n')
            arrived(f'msmtp {method}')
    if have('node'):
        root = os.environ.get('NODE_PATH') or (run('npm', 'root', '-g').strip() if have('npm') else '')
        if os.path.isdir(os.path.join(root, 'nodemailer')):
            run('node', '-e', f'''
const t = require('nodemailer').createTransport({{host: '127.0.0.1', port: {mail.port}, secure: false, ignoreTLS: true, auth: {{user: '{NAME}', pass: '{PASSWORD}'}}}});
t.sendMail({{from: '{NAME}', to: 'bob@example.test', subject: 'from nodemailer', text: 'x'}}).catch(e => {{ console.error(e); process.exit(1); }});
''', env=dict(os.environ, NODE_PATH=root))
            arrived('nodemailer')
        else:
            print('nodemailer is not installed')
    if have('telnet'):
        lines = ['EHLO client.test', 'AUTH LOGIN', base64.b64encode(NAME.encode()).decode(), base64.b64encode(PASSWORD.encode()).decode(), 'QUIT']
        p = subprocess.Popen(['telnet', '127.0.0.1', str(mail.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=0)
        seen = []

        def until(start):
            while not (line := p.stdout.readline()).startswith(start):
                expect(bool(line), True, f'telnet goes on; so far: {seen}')
                seen.append(line)
            seen.append(line)
        until('220 ')
        for line, answer in zip(lines, ('250 ', '334 ', '334 ', '235 ', '221 ')):
            p.stdin.write(line + '\n')
            until(answer)
        p.stdin.close()
        p.wait(30)
