"""Programs of Debian packages that cannot be installed beside others (mail servers exclude each other): unpacked into the build
folder. unpacked('opensmtpd') → its root, or ends the scenario (it wants the network, once)."""
import glob, os, subprocess

from instance import ROOT, skip


def unpacked(package):
    cache = os.environ.get('EKIDEN_POSTFIX_CACHE') or os.path.join(ROOT, 'build', 'bench')
    root = os.path.join(cache, package)
    if not os.path.exists(root):
        os.makedirs(cache, exist_ok=True)
        done = subprocess.run(['apt-get', 'download', package], cwd=cache, capture_output=True, text=True)
        files = sorted(glob.glob(os.path.join(cache, package + '_*.deb')))
        if not files:
            skip(f'{package} cannot be had: {done.stderr.strip()[-200:]}')
        subprocess.run(['dpkg-deb', '-x', files[-1], root + '.new'], check=True)
        os.rename(root + '.new', root)
    return root
