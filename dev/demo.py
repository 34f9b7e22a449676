#!/usr/bin/env python3
"""The demonstration server behind ./do run: a complete mail system in one folder, nothing outside it touched.

Starts Ekiden in the foreground, prints the ports and a line to copy, sends itself one message and shows that it
arrived. Ctrl-C stops it; the queue stays for the next run. A second, tiny server receives what is relayed, so that
relaying can be tried without a network; a submission port wants STARTTLS and a login, as those of real sites do.
Certificate and login are made at the first start and kept. Options: --port N, --folder DIR, --clean
"""
import argparse, os, pwd, secrets, shutil, signal, smtplib, socket, ssl, subprocess, sys, time

from services import inner_services

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ.get('EKIDEN_BIN') or os.path.join(ROOT, 'build', 'bin')

MAILBOXES = ('alice', 'bob', 'carol', 'first', 'someone', 'you')

MASTER_CF = '''\
# Services of the demonstration, in Postfix's words.
{port}      inet  n       -       n       -       -       smtpd
# Submission: for people and programs that log in, and for nobody else; $mynetworks counts for nothing here.
{submission}      inet  n       -       n       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
'''


def free_port(wanted):
    for port in range(wanted, wanted + 50):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(('127.0.0.1', port))
                return port
            except OSError:
                continue
    sys.exit(f'demo: no free port from {wanted} on')


def write(path, text):
    with open(path, 'w') as f:
        f.write(text)


def make_certificate(path):
    """a self-signed certificate with its key in one file, and beside it what a client needs to believe in it"""
    beside = os.path.splitext(path)[0] + '.crt'
    if not (os.path.exists(path) and os.path.exists(beside)):
        old = os.umask(0o077)
        try:
            names = 'subjectAltName=DNS:demo.ekiden.example,DNS:localhost,IP:127.0.0.1'
            made = subprocess.run(
                ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                 '-days', '3650', '-subj', '/CN=demo.ekiden.example', '-addext', names,
                 '-addext', 'keyUsage=critical,digitalSignature,keyCertSign', '-keyout', path + '.key', '-out', beside],
                stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if made.returncode:
                sys.exit('demo: openssl could not make a certificate: ' + made.stderr)
            with open(path + '.key') as key, open(beside) as certificate:
                write(path, key.read() + certificate.read())
            os.unlink(path + '.key')
            os.chmod(beside, 0o644)
        finally:
            os.umask(old)
    return beside


def make_login(config, name):
    """the login of the demonstration, and its password, which only its owner may read"""
    path = os.path.join(config, 'password')
    if not os.path.exists(path):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'w') as f:
            f.write(secrets.token_hex(6) + '\n')
    with open(path) as f:
        password = f.read().strip()
    made = subprocess.run([f'{BIN}/ekiden', 'passwd', '-p', '-c', config, name], input=password + '\n', text=True,
                          stderr=subprocess.PIPE)
    if made.returncode:
        sys.exit('demo: ekiden passwd: ' + made.stderr)
    return password


def main():
    p = argparse.ArgumentParser(prog='./do run')
    p.add_argument('--port', type=int, default=2525)
    p.add_argument('--folder', default=f'/var/tmp/ekiden-demo-{os.getuid()}', help='where the instance lives')
    p.add_argument('--clean', action='store_true', help='begin with an empty queue and empty mailboxes')
    p.add_argument('--once', action='store_true', help='stop after the test message (for the tests)')
    a = p.parse_args()
    folder = os.path.abspath(a.folder)
    if a.clean:
        shutil.rmtree(folder, ignore_errors=True)
    config, mail, spool = (os.path.join(folder, d) for d in ('config', 'mail', 'spool'))
    os.makedirs(config, exist_ok=True)
    os.makedirs(mail, exist_ok=True)
    os.chmod(folder, 0o755)
    is_root = os.geteuid() == 0
    # As root the engine becomes an ordinary user that every Debian has; otherwise everything is yours.
    owner = 'mail' if is_root else pwd.getpwuid(os.geteuid()).pw_name
    user = pwd.getpwnam(owner)
    if is_root:
        os.chown(mail, user.pw_uid, user.pw_gid)
    if subprocess.run([f'{BIN}/postfix', '-c', config, 'status'], capture_output=True).returncode == 0:
        sys.exit(f'demo: it runs already ({folder}); stop it with: build/bin/postfix -c {config} stop')
    port, submission, far = free_port(a.port), free_port(a.port + 62), free_port(a.port + 120)
    certificate = make_certificate(f'{config}/certificate.pem')
    write(f'{config}/main.cf', f'''\
# A complete configuration of the demonstration: Postfix's main.cf, read by Ekiden.
compatibility_level = 3.6
myhostname = demo.ekiden.example
mydomain = ekiden.example
inet_interfaces = loopback-only
mynetworks = 127.0.0.0/8 [::1]/128
mydestination =
queue_directory = {spool}
data_directory = {folder}/data
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
command_directory = {BIN}
mail_owner = {owner}
setgid_group = {'daemon' if is_root else owner}
alias_maps =
alias_database =
# These have a Maildir each; whoever else is meant at this domain shares one. (A pattern table could not name the
# Maildir after the address: virtual delivery refuses $1, as Postfix does.)
virtual_mailbox_domains = ekiden.example
virtual_mailbox_base = {mail}
virtual_mailbox_maps = texthash:{config}/mailboxes static:others/
virtual_minimum_uid = 1
virtual_uid_maps = static:{user.pw_uid}
virtual_gid_maps = static:{user.pw_gid}
# TLS at both ports; the submission port demands it. Who logs in there stands in a file that `ekiden passwd` writes.
smtpd_tls_chain_files = {config}/certificate.pem
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
smtpd_tls_auth_only = yes
smtpd_sasl_type = ekiden
smtpd_sasl_local_domain = $mydomain
# All other mail goes to the second server of the demonstration instead of the Internet.
relayhost = [127.0.0.1]:{far}
''')
    write(f'{config}/mailboxes', ''.join(f'{name}@ekiden.example  {name}/\n' for name in MAILBOXES))
    write(f'{config}/master.cf', MASTER_CF.format(port=port, submission=submission) + inner_services())
    login = 'you@ekiden.example'
    password = make_login(config, login)

    # The second server: our own smtp-sink, which keeps what it gets.
    relayed = os.path.join(folder, 'relayed')
    os.makedirs(relayed, exist_ok=True)
    if is_root:
        os.chown(relayed, user.pw_uid, user.pw_gid)
    become = ['-u', owner] if is_root else []
    sink = subprocess.Popen(
        [f'{BIN}/smtp-sink', *become, '-d', f'{relayed}/%Y%m%d%H%M%S.', f'127.0.0.1:{far}', '100'],
        stdin=subprocess.DEVNULL, start_new_session=True)
    server = subprocess.Popen([f'{BIN}/postfix', '-c', config, 'start-fg'], stdin=subprocess.DEVNULL,
                              start_new_session=True)

    def stop(*_):
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, stop)
    try:
        end = time.monotonic() + 20
        while True:
            try:
                with smtplib.SMTP('127.0.0.1', port, local_hostname='localhost', timeout=5) as s:
                    s.sendmail('you@ekiden.example', ['first@ekiden.example'],
                               'From: you@ekiden.example\r\nTo: first@ekiden.example\r\nSubject: It works\r\n\r\n'
                               'This message was safely on disk before the server said 250.\r\n')
                break
            except OSError:
                if server.poll() is not None:
                    sys.exit(f'demo: the server did not start; its log is {folder}/mail.log')
                if time.monotonic() > end:
                    sys.exit('demo: the server does not answer')
                time.sleep(0.05)
        with smtplib.SMTP('127.0.0.1', submission, local_hostname='localhost', timeout=20) as s:
            s.starttls(context=ssl.create_default_context(cafile=certificate))
            s.login(login, password)
        new = os.path.join(mail, 'first', 'new')
        while not (os.path.isdir(new) and os.listdir(new)):
            if time.monotonic() > end:
                sys.exit(f'demo: the test message did not arrive; see {folder}/mail.log')
            time.sleep(0.02)
        newest = max((os.path.join(new, n) for n in os.listdir(new)), key=os.path.getmtime)
        print(f'''
Ekiden is running.   SMTP port: {port}, submission port: {submission}   (127.0.0.1, and ::1 where there is IPv6)

A test message has just travelled the whole road; it is in
  {newest}

Send one yourself (copy this line):
  printf 'Subject: hello\\n\\nHello, Ekiden.\\n' | build/bin/sendmail -C {config} -f you@ekiden.example someone@ekiden.example
or over SMTP with anything you have, for example:
  python3 -c "import smtplib; smtplib.SMTP('127.0.0.1', {port}).sendmail('you@ekiden.example', 'someone@ekiden.example', 'Subject: hello\\n\\nHello, Ekiden.')"

with STARTTLS and a login, at the submission port, from where it may go anywhere:
  python3 -c "import smtplib, ssl; s = smtplib.SMTP('127.0.0.1', {submission}); s.starttls(context=ssl.create_default_context(cafile='{certificate}')); s.login('{login}', '{password}'); s.sendmail('{login}', 'somebody@far.example', 'Subject: hello\\n\\nHello, Ekiden.')"
or in your own words, after STARTTLS:
  openssl s_client -quiet -crlf -starttls smtp -connect 127.0.0.1:{submission}

  mail to alice@ekiden.example      appears in {mail}/alice/new/  (others have theirs, see {config}/mailboxes)
  mail to any other domain          is relayed to a second server on port {far}, which keeps it in {relayed}/
  the queue                         build/bin/postqueue -c {config} -p
  another login                     build/bin/ekiden passwd -c {config} me@ekiden.example
  the log                           tail -f {folder}/mail.log

Ctrl-C stops it; the queue is kept for the next ./do run.
''', flush=True)
        if a.once:
            stop()
        server.wait()
    except KeyboardInterrupt:
        print('\nstopping …', flush=True)
        stop()
        server.wait()
    finally:
        stop()
        sink.terminate()
        sink.wait()
    sys.exit(0 if server.returncode in (0, -signal.SIGTERM) else server.returncode)


main()
