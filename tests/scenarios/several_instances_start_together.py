"""postfix start means every enabled instance, and stop too; postmulti makes an instance that takes no mail yet, and destroys it without a trace."""
import contextlib, os, shutil, subprocess

from instance import Instance, expect, expect_match, tool
from own_mounts import in_own_mount_namespace

in_own_mount_namespace(network=True)
with Instance(start=False) as mail, contextlib.ExitStack() as at_the_end:
    # The primary instance is the one in the default directory.
    if not os.path.isdir('/etc/postfix'):
        shutil.copytree('/etc', mail.folder + '/etc', symlinks=True, ignore_dangling_symlinks=True)
        subprocess.run(['mount', '--bind', mail.folder + '/etc', '/etc'], check=True)
        os.mkdir('/etc/postfix')
    subprocess.run(['mount', '--bind', mail.config, '/etc/postfix'], check=True)
    environment = {name: value for name, value in os.environ.items() if name != 'MAIL_CONFIG'}

    def run(*words, status=0):
        done = subprocess.run([tool(words[0]), *words[1:]], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        expect(done.returncode, status, f'the end of {" ".join(words)} (it said: {done.stdout})')
        return done.stdout

    second = os.path.join(mail.folder, 'postfix-out')
    places = {f'{kind}_directory': f'{mail.folder}/{kind}-out' for kind in ('queue', 'data')}
    run('postmulti', '-e', 'init')
    run('postmulti', '-e', 'create', '-I', 'postfix-out', '-G', 'mta', f'config_directory={second}', *(f'{name}={path}' for name, path in places.items()))
    run('postconf', '-c', second, '-e', f'maillog_file={mail.log_file}.out', f'maillog_file_prefixes={mail.folder}', 'inet_interfaces=loopback-only')
    for path in (second, *places.values()):
        expect(os.path.isdir(path), True, f'{path} is there')

    at_the_end.callback(subprocess.run, [tool('postfix'), '-c', second, 'stop'], stderr=subprocess.DEVNULL)

    # Not enabled, it is checked and not started.
    run('postfix', 'start')
    run('postfix', '-c', second, 'status', status=1)
    run('postfix', 'status', status=1)
    run('postmulti', '-i', 'postfix-out', '-e', 'enable')
    run('postmulti', '-i', 'postfix-out', '-p', 'start')
    run('postfix', 'status')
    expect_match('postfix-out/master.*daemon started', open(mail.log_file + '.out').read(), 'its own name in its own log')
    run('postfix', 'reload')
    expect(run('postmulti', '-x', 'sh', '-c', 'echo $multi_instance_name $queue_directory').splitlines(),
           [mail.spool, f'postfix-out {places["queue_directory"]}'], 'what a command is told')
    refused = subprocess.run([tool('sendmail'), '-C', second, 'x@example.test'], env=environment, input='x\n', stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    expect_match('not allowed to submit mail', refused.stdout, 'a new instance takes no mail')
    run('postfix', 'start-fg', status=1)

    expect_match('say .postmulti -i postfix-out -e disable', run('postmulti', '-i', 'postfix-out', '-e', 'destroy', status=1), 'an enabled instance stays')
    run('postmulti', '-i', 'postfix-out', '-e', 'disable')
    expect_match('is running', run('postmulti', '-i', 'postfix-out', '-e', 'destroy', status=1), 'a running instance stays')
    run('postmulti', '-i', 'postfix-out', '-e', 'enable')
    run('postfix', 'stop')
    run('postfix', '-c', '/etc/postfix', 'status', status=1)
    run('postfix', '-c', second, 'status', status=1)
    run('postmulti', '-i', 'postfix-out', '-e', 'disable')
    run('postmulti', '-i', 'postfix-out', '-e', 'destroy')
    for path in (second, *places.values()):
        expect(os.path.exists(path), False, f'{path} is there')
    expect(run('postmulti', '-l').split()[-1], '/etc/postfix', 'the primary instance is left')
