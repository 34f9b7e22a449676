#!/usr/bin/env python3
"""The demonstration server behind ./do run: a complete mail system in one folder, nothing outside it touched.

Starts Ekiden in the foreground, prints the ports and a line to copy, sends itself one message and shows that it arrived.
Ctrl-C stops it; the queue stays for the next run. A second, tiny server receives what is relayed, so that relaying can be
tried without a network. Options: --port N, --folder DIR, --clean
"""
import argparse, os, pwd, shutil, signal, smtplib, socket, subprocess, sys, threading, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ.get('EKIDEN_BIN') or os.path.join(ROOT, 'build', 'bin')

MAILBOXES = ('alice', 'bob', 'carol', 'first', 'someone', 'you')

MASTER_CF = '''\
# Services of the demonstration, in Postfix's words.
{port}      inet  n       -       n       -       -       smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
showq     unix  n       -       n       -       -       showq
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
local     unix  -       n       n       -       -       local
virtual   unix  -       n       n       -       -       virtual
anvil     unix  -       -       n       -       1       anvil
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
    if subprocess.run([f'{BIN}/postfix', '-c', config, 'status'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
        sys.exit(f'demo: it runs already ({folder}); stop it with: build/bin/postfix -c {config} stop')
    port, far = free_port(a.port), free_port(a.port + 100)
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
command_directory = {BIN}
mail_owner = {owner}
setgid_group = {'mail' if is_root else owner}
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
# All other mail goes to the second server of the demonstration instead of the Internet.
relayhost = [127.0.0.1]:{far}
''')
    write(f'{config}/mailboxes', ''.join(f'{name}@ekiden.example  {name}/\n' for name in MAILBOXES))
    write(f'{config}/master.cf', MASTER_CF.format(port=port))

    # The second server: our own smtp-sink, which keeps what it gets.
    relayed = os.path.join(folder, 'relayed')
    os.makedirs(relayed, exist_ok=True)
    if is_root:
        os.chown(relayed, user.pw_uid, user.pw_gid)
    become = ['-u', owner] if is_root else []
    sink = subprocess.Popen([f'{BIN}/smtp-sink', *become, '-d', f'{relayed}/%Y%m%d%H%M%S.', f'127.0.0.1:{far}', '100'], stdin=subprocess.DEVNULL, start_new_session=True)
    server = subprocess.Popen([f'{BIN}/postfix', '-c', config, 'start-fg'], stdin=subprocess.DEVNULL, start_new_session=True)

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
                               'From: you@ekiden.example\r\nTo: first@ekiden.example\r\nSubject: It works\r\n\r\nThis message was safely on disk before the server said 250.\r\n')
                break
            except OSError:
                if server.poll() is not None:
                    sys.exit(f'demo: the server did not start; its log is {folder}/mail.log')
                if time.monotonic() > end:
                    sys.exit('demo: the server does not answer')
                time.sleep(0.05)
        new = os.path.join(mail, 'first', 'new')
        while not (os.path.isdir(new) and os.listdir(new)):
            if time.monotonic() > end:
                sys.exit(f'demo: the test message did not arrive; see {folder}/mail.log')
            time.sleep(0.02)
        newest = max((os.path.join(new, n) for n in os.listdir(new)), key=os.path.getmtime)
        print(f'''
Ekiden is running.   SMTP port: {port}   (127.0.0.1, and ::1 where there is IPv6)

A test message has just travelled the whole road; it is in
  {newest}

Send one yourself (copy this line):
  printf 'Subject: hello\\n\\nHello, Ekiden.\\n' | build/bin/sendmail -C {config} -f you@ekiden.example someone@ekiden.example
or over SMTP with anything you have, for example:
  python3 -c "import smtplib; smtplib.SMTP('127.0.0.1', {port}).sendmail('you@ekiden.example', 'someone@ekiden.example', 'Subject: hello\\n\\nHello, Ekiden.')"

  mail to alice@ekiden.example      appears in {mail}/alice/new/  (others have theirs, see {config}/mailboxes)
  mail to any other domain          is relayed to a second server on port {far}, which keeps it in {relayed}/
  the queue                         build/bin/postqueue -c {config} -p
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
