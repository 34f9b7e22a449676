"""The two mail systems of a comparison behind one face: Ekiden from the build folder, Postfix 3.7.11 from Debian's package.

    is_recording, player = reference.player()      (ekiden, or postfix)
    with player(main, master, files) as server:
        server.port, server.log()

`files` ({name: text}) are in `{folder}`, as main and master may say; before(private) is called before the start with the folder
that has everything, `{private}`. Postfix wants name spaces of the caller's (in_own_mount_namespace(network=True)).
"""
import argparse, contextlib, os, pathlib, subprocess, sys, tempfile

from instance import ROOT, Instance
from own_mounts import in_own_mount_namespace

import bench_servers


def fetch():
    """while there is a network: Debian's Postfix; ends the scenario where it cannot be had"""
    bench_servers.fetch_postfix(cache())


def cache():
    return pathlib.Path(os.environ.get('EKIDEN_POSTFIX_CACHE') or os.path.join(ROOT, 'build', 'bench'))


def private_etc(folder, files):
    """files of /etc as the caller wants them, in this mount name space only"""
    for name, text in files.items():
        own = pathlib.Path(folder, 'etc-' + name)
        own.write_text(text)
        subprocess.run(['mount', '--bind', str(own), '/etc/' + name], check=True)


class Subject:
    """run(name, *arguments): one of its commands, on its own configuration"""

    def __init__(self, port, log, folder, run):
        self.port, self.log, self.folder, self.run = port, log, folder, run


@contextlib.contextmanager
def ekiden(main, master, files, before=lambda folder: None):
    with Instance(start=False) as mail:
        for name, text in files.items():
            mail.write(name, text)
        mail.set(main.format(folder=mail.config, private=mail.folder))
        with open(os.path.join(mail.config, 'master.cf'), 'a') as out:
            out.write(master.format(folder=mail.config, private=mail.folder))
        before(mail.folder)
        mail.start()
        engine = mail.engine_pid()
        yield Subject(mail.port, mail.log, mail.folder, lambda name, *arguments, **more: mail.run(name, *arguments, check=False, errors='replace', **more))
        if mail.engine_pid() != engine:
            raise SystemExit('the engine has been restarted')


@contextlib.contextmanager
def postfix(main, master, files, before=lambda folder: None):
    with tempfile.TemporaryDirectory(prefix='ekiden-', dir='/var/tmp', ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        for name, text in files.items():
            pathlib.Path(folder, name).write_text(text)
        bench_servers.adopt_orphans()
        server = bench_servers.postfix_server(cache(), pathlib.Path(folder) / 'postfix')
        bench_servers.private_accounts(pathlib.Path(folder))
        before(folder)
        server.fresh(main.format(folder=folder, private=folder).splitlines())
        if os.path.isdir(os.path.join(folder, 'sasl')):
            # Debian's Postfix does not heed cyrus_sasl_config_path, and looks beside main.cf.
            os.symlink(os.path.join(folder, 'sasl'), server.work / 'etc' / 'sasl')
        with open(server.work / 'etc' / 'master.cf', 'a') as out:
            out.write(master.format(folder=folder, private=folder))
        server.start()
        try:
            yield Subject(bench_servers.SMTP_PORT, lambda: server.log.read_text(errors='replace'), folder,
                          lambda name, *arguments, **more: subprocess.run([str(server.bin / name), '-C' if name == 'sendmail' else '-c', str(server.work / 'etc'), *arguments],
                                                                          env=server.environment, capture_output=True, text=True, errors='replace', check=False, **more))
        finally:
            server.stop()
            subprocess.run(['umount', '-l', '/etc', os.path.join(folder, 'etc')])


def player():
    """(is its play recorded?, `ekiden` or `postfix`), as the command line says: --record lets Postfix play. What comes has a network of
    its own."""
    is_recording = command_line().parse_args().record
    if is_recording:
        fetch()
    in_own_mount_namespace(network=True)
    return is_recording, postfix if is_recording else ekiden


def player_of_some():
    """as player(), and the pattern of the cases wanted; Ekiden needs no network of its own"""
    parser = command_line()
    parser.add_argument('pattern', nargs='?', default='*', help='of the names of the cases wanted')
    asked = parser.parse_args()
    if asked.record:
        fetch()
        in_own_mount_namespace(network=True)
    return asked.record, postfix if asked.record else ekiden, asked.pattern


def command_line():
    parser = argparse.ArgumentParser()
    parser.add_argument('--record', action='store_true', help="write down what Debian's Postfix does")
    return parser


def recorded_at(path):
    with open(path) as f:
        return dict(line.rstrip('\n').split(': ', 1) for line in f if not line.startswith('#'))


def conclude(path, got, is_recording, what, own=None):
    """`got` ({case: outcome}) becomes the record at `path`, or is compared with it; ends the program. own: Ekiden's outcomes where
    they differ on purpose"""
    if is_recording:
        with open(path, 'w') as out:
            out.write(f'# What Postfix 3.7.11 did; written by {os.path.basename(sys.argv[0])} --record.\n')
            out.writelines(f'{name}: {outcome}\n' for name, outcome in got.items())
        sys.exit()
    recorded = recorded_at(path) | (own or {})
    wrong = [name for name in got if got[name] != recorded.get(name)]
    for name in wrong:
        print(f'{name}\n  want {recorded.get(name)}\n  got  {got[name]}')
    print(f'{len(got)} {what}, {len(wrong)} of them wrong')
    sys.exit(1 if wrong or not got else 0)
