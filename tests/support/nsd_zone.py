"""A real name server (Debian's nsd) with a zone of the test's own, on an address and port of its own, as an ordinary process.

    with NsdServer(folder, {'test': ['one MX 10 mx1', 'mx1 A 127.0.0.21']}, broken=['lame']) as dns: ... dns.port

A zone in `broken` is configured and has no data: SERVFAIL. What is in no zone is REFUSED.
"""
import atexit, os, shutil, signal, socket, struct, subprocess

from instance import free_port, skip, wait_until

HEAD = '$ORIGIN {name}.\n$TTL 60\n@ SOA ns.{name}. root.{name}. 1 3600 600 86400 1\n@ NS ns.{name}.\nns A 127.0.0.1\n'


class NsdServer:
    def __init__(self, folder, zones, broken=(), port=0):
        program = shutil.which('nsd') or os.path.exists('/usr/sbin/nsd') and '/usr/sbin/nsd'
        if not program:
            skip('nsd is not installed')
        self.folder, self.port = os.path.join(folder, 'nsd'), port or free_port()
        os.mkdir(self.folder)
        config = f'''\
server:
    ip-address: 127.0.0.1@{self.port}
    username: ""
    chroot: ""
    zonesdir: "{self.folder}"
    pidfile: "{self.folder}/pid"
    logfile: "{self.folder}/log"
    database: ""
    zonelistfile: "{self.folder}/zone.list"
    xfrdfile: "{self.folder}/xfrd.state"
    xfrdir: "{self.folder}"
    server-count: 1
    rrl-ratelimit: 0
remote-control:
    control-enable: no
'''
        for name, rows in zones.items():
            with open(f'{self.folder}/{name}.zone', 'w') as f:
                f.write(HEAD.format(name=name) + ''.join(row + '\n' for row in rows))
        for name in [*zones, *broken]:
            config += f'zone:\n    name: {name}\n    zonefile: {name}.zone\n'
        path = f'{self.folder}/nsd.conf'
        with open(path, 'w') as f:
            f.write(config)
        self.process = subprocess.Popen([program, '-d', '-c', path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        atexit.register(self.__exit__)      # also when a test fails in between
        wait_until(lambda: self.process.poll() is not None or self.answers(next(iter(zones))), lambda: 'nsd; its log:\n' + self.log())
        if self.process.poll() is not None:
            skip('nsd does not start: ' + self.log()[-300:].replace('\n', ' '))

    def answers(self, zone):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.3)
            s.connect(('127.0.0.1', self.port))
            try:
                s.send(struct.pack('>HHHHHH', 1, 0, 1, 0, 0, 0) + bytes([len(zone)]) + zone.encode() + b'\0' + struct.pack('>HH', 6, 1))
                return s.recv(512)[3] & 15 == 0
            except OSError:
                return False

    def log(self):
        try:
            return open(f'{self.folder}/log').read()
        except OSError:
            return ''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
