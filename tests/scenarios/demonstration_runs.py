"""What ./do run starts delivers its test message, offers a submission port whose printed lines work as they stand, and ends cleanly;
the second start keeps login and certificate."""
import os, re, shlex, signal, smtplib, ssl, subprocess, sys, tempfile, threading
from instance import ROOT, expect, expect_match, free_port, text_of, wait_until

DEMO = [sys.executable, os.path.join(ROOT, 'dev', 'demo.py')]


def printed_line(pattern, text):
    """a line that people are told to copy, as the arguments that a shell would make of it"""
    return shlex.split(expect_match(pattern, text, 'a line to copy').group(1))


with tempfile.TemporaryDirectory(prefix='ekiden-demo-', dir='/var/tmp') as folder:
    os.chmod(folder, 0o755)     # as root, the demonstration delivers as an ordinary user
    demo, port = f'{folder}/demo', free_port() % 30000 + 20000
    arguments = ['--folder', demo, '--port', str(port)]
    run = subprocess.run([*DEMO, '--once', '--clean', *arguments], capture_output=True, text=True, timeout=60)
    expect(run.returncode, 0, run.stdout + run.stderr)
    path = expect_match(r'it is in\n +(\S+)\n', run.stdout, 'what it says').group(1)
    expect_match(r'^Subject: It works$', text_of(path), 'the test message')
    kept = [text_of(f'{demo}/config/{name}') for name in ('password', 'certificate.pem')]
    for name in ('password', 'certificate.pem'):
        expect(os.stat(f'{demo}/config/{name}').st_mode & 0o077, 0, f'who else may read {name}')

    again = subprocess.Popen([*DEMO, *arguments], stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(60, again.kill)
    watchdog.start()
    try:
        shown = ''
        for line in again.stdout:
            shown += line
            if line.startswith('Ctrl-C stops it'):
                break
        expect([text_of(f'{demo}/config/{name}') for name in ('password', 'certificate.pem')], kept, 'login and certificate of the first start')
        submission = int(expect_match(r'submission port: (\d+)', shown, 'the port').group(1))

        # The line with starttls and login, word for word.
        subprocess.run(printed_line(r'^  (python3 -c "import smtplib, ssl; .*)$', shown), check=True, timeout=20)
        wait_until(lambda: re.search(r'submission/smtpd\[\d+\]: \w+: client=localhost\[127\.0\.0\.1\], sasl_method=\S+, sasl_username=you@ekiden\.example\n',
                                     text_of(f'{demo}/mail.log')), 'the login in the log')
        wait_until(lambda: re.search(r'to=<somebody@far\.example>, .*status=sent', text_of(f'{demo}/mail.log')), 'mail to go far')

        # Without the login nobody gets anywhere there, 127.0.0.1 or not; without TLS there is no login.
        with smtplib.SMTP('127.0.0.1', submission, timeout=20) as s:
            s.ehlo('client.test')
            expect(s.has_extn('auth'), False, 'AUTH in plain text')
            expect(s.docmd('MAIL FROM:<you@ekiden.example>')[0], 530, 'MAIL before STARTTLS')
            s.starttls(context=ssl.create_default_context(cafile=f'{demo}/config/certificate.crt'))
            s.ehlo('client.test')
            expect(s.has_extn('auth'), True, 'AUTH inside TLS')
            s.mail('you@ekiden.example')
            expect(s.rcpt('alice@ekiden.example')[0], 554, 'a recipient without login')
    finally:
        again.send_signal(signal.SIGTERM)
        again.communicate(timeout=20)
        watchdog.cancel()
    expect(again.returncode, 0, 'how it ends')
    complaints = re.findall(r'(?:warning|error|fatal|panic): .*', text_of(f'{demo}/mail.log'))
    expect(complaints, [], 'complaints in the log')
