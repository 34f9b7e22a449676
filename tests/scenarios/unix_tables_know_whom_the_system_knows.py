"""unix:passwd.byname answers as getpwnam(3) does, whatever nsswitch.conf asks first and whatever odd lines /etc/passwd has:
with blanks before them, commented out, and those of "compat" that add and leave out."""
import os, shutil, subprocess, tempfile
from instance import expect, skip, tool

if os.geteuid() != 0:
    skip('only root gives a program another /etc/passwd')

LINES = '''\
 blank:x:4001:4001::/home/blank:/bin/sh
#comment:x:4002:4002::/home/comment:/bin/sh
twice:x:4003:4003::/home/first:/bin/sh
twice:x:4004:4004::/home/second:/bin/sh
-banned::::::
banned:x:4005:4005::/home/banned:/bin/sh
plain:x:4006:4006::/home/plain:/bin/sh
'''
NAMES = ('root', 'blank', ' blank', '#comment', 'comment', 'twice', 'banned', '-banned', 'plain', 'nobody-of-that-name')
# The system's answer and the table's, for each name.
ASK = '''
import pwd, subprocess, sys
for name in sys.argv[2:]:
    try:
        line = ':'.join(map(str, pwd.getpwnam(name)))
    except KeyError:
        line = ''
    asked = subprocess.run([sys.argv[1], '-c', '.', '-q', name, 'unix:passwd.byname'], capture_output=True, text=True)
    print(name, line, asked.stdout.rstrip('\\n') + asked.stderr, sep='|')
'''

folder = tempfile.mkdtemp(prefix='ekiden-', dir='/var/tmp')
try:
    with open('/etc/passwd') as f, open(f'{folder}/passwd', 'w') as own:
        own.write(f.read() + LINES)
    open(f'{folder}/main.cf', 'w').close()
    for sources in ('passwd: files', 'passwd: files systemd', 'passwd: systemd files', 'passwd: compat', 'passwd:compat [NOTFOUND=return] systemd', ''):
        with open(f'{folder}/nsswitch.conf', 'w') as f:
            f.write(f'group: files\n{sources}\n')
        p = subprocess.run(['unshare', '--mount', '--propagation', 'private', 'sh', '-c',
                            'mount --bind passwd /etc/passwd && mount --bind nsswitch.conf /etc/nsswitch.conf && exec python3 -c "$@"', 'sh', ASK, tool('postmap'), *NAMES],
                           cwd=folder, capture_output=True, text=True, timeout=60)
        if p.returncode:
            skip(f'a program cannot be given another /etc/passwd here: {p.stderr}')
        rows = [line.split('|') for line in p.stdout.splitlines()]
        expect(len(rows), len(NAMES), 'answers')
        for name, system, table in rows:
            expect(table, system, f'{name!r} with "{sources}"')
        expect(rows[0][1].startswith('root:'), True, 'the system knows root')
        expect(rows[6][1] == '', 'compat' in sources, 'the system leaves out whom "compat" leaves out')
finally:
    shutil.rmtree(folder)
