"""What ./do run starts delivers its test message, says where it lies, and ends cleanly."""
import os, re, subprocess, sys, tempfile
from instance import ROOT, expect, expect_match, free_port

with tempfile.TemporaryDirectory(prefix='ekiden-demo-', dir='/var/tmp') as folder:
    os.chmod(folder, 0o755)     # as root, the demonstration delivers as an ordinary user
    port = free_port()
    run = subprocess.run([sys.executable, os.path.join(ROOT, 'dev', 'demo.py'), '--once', '--clean', '--folder', f'{folder}/demo', '--port', str(port)],
                         capture_output=True, text=True, timeout=60)
    expect(run.returncode, 0, run.stdout + run.stderr)
    path = expect_match(r'it is in\n +(\S+)\n', run.stdout, 'what it says').group(1)
    with open(path) as f:
        expect_match(r'^Subject: It works$', f.read(), 'the test message')
    with open(f'{folder}/demo/mail.log') as f:
        log = f.read()
    expect(re.findall(r'(?:warning|error|fatal|panic): .*', log), [], 'complaints in the log')
