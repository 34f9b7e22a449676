"""Debian's postfix-policyd-spf-python, unpacked into the build folder: its package wants Postfix installed, and a test must not.
fetch() → its path, or ends the scenario (it wants the network, once); command(path, folder, config lines) → argv."""
import glob, os, shutil, subprocess

from instance import ROOT, skip

PYTHON = '/usr/bin/python3'     # Debian's own, which sees Debian's modules


def fetch():
    if subprocess.run([PYTHON, '-c', 'import spf_engine.policyd_spf'], capture_output=True).returncode:
        skip('python3-spf-engine is not installed')
    cache = os.environ.get('EKIDEN_POSTFIX_CACHE') or os.path.join(ROOT, 'build', 'bench')
    program = os.path.join(cache, 'policyd-spf', 'usr', 'bin', 'policyd-spf')
    if not os.path.exists(program):
        os.makedirs(cache, exist_ok=True)
        done = subprocess.run(['apt-get', 'download', 'postfix-policyd-spf-python'], cwd=cache, capture_output=True, text=True)
        packages = glob.glob(os.path.join(cache, 'postfix-policyd-spf-python_*.deb'))
        if not packages:
            skip(f'postfix-policyd-spf-python cannot be had: {done.stderr.strip()[-200:]}')
        subprocess.run(['dpkg-deb', '-x', packages[-1], os.path.join(cache, 'policyd-spf')], check=True)
    return program


def command(program, folder, config):
    path = os.path.join(folder, 'policyd-spf.conf')
    with open(path, 'w') as f:
        f.write(config)
    # The daemon's user may not be able to go where the build is.
    return [PYTHON, shutil.copy(program, folder), path]
