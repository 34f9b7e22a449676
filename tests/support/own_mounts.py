"""Small file systems of a scenario's own, in a mount namespace of its own, so that they vanish with it. Needs root."""
import ctypes, os, pwd, subprocess
from instance import skip

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000


def in_own_mount_namespace(network=False):
    """this process and its children mount for themselves from here on; with `network`, they have a loopback of their own"""
    if os.geteuid() != 0:
        skip('needs root to mount a file system')
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | (CLONE_NEWNET if network else 0)) != 0:
        skip(f'cannot make a name space: {os.strerror(ctypes.get_errno())}')
    subprocess.run(['mount', '--make-rprivate', '/'], check=True)
    if network:
        subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)


def mount_tmpfs(folder, size, owner=None):
    os.makedirs(folder, exist_ok=True)
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size},mode=755', 'tmpfs', folder], capture_output=True, text=True)
    if mounted.returncode:
        skip('cannot mount a tmpfs: ' + mounted.stderr.strip())
    if owner and os.geteuid() == 0:
        user = pwd.getpwnam(owner)
        os.chown(folder, user.pw_uid, user.pw_gid)


class Ballast:
    def __init__(self, path):
        self.path = path

    def remove(self):
        os.unlink(self.path)


def fill(folder):
    """takes every free byte of the file system"""
    path = os.path.join(folder, 'ballast')
    with open(path, 'wb', buffering=0) as f:
        for size in (1 << 20, 4096):
            try:
                while f.write(b'\0' * size) == size:
                    pass
            except OSError:
                pass
    return Ballast(path)
