"""smtp-source at a name with several addresses: all sessions go to the first that takes a connection, however many find out at once that
another does not."""
import os, subprocess, tempfile
from instance import FarServer, expect, tool
from own_mounts import in_own_mount_namespace

in_own_mount_namespace(network=True)
with tempfile.NamedTemporaryFile('w') as hosts:
    hosts.write('::1 twice.test\n127.0.0.1 twice.test\n')
    hosts.flush()
    subprocess.run(['mount', '--bind', hosts.name, '/etc/hosts'], check=True)
    server = FarServer()       # at 127.0.0.1 alone
    try:
        for sessions in ('1', '20'):
            done = subprocess.run([tool('smtp-source'), '-s', sessions, '-m', '40', '-f', 'a@client.test', '-t', 'b@far.test',
                                   f'twice.test:{server.port}'], capture_output=True, text=True, timeout=60)
            expect((done.returncode, done.stderr), (0, ''), f'smtp-source with {sessions} sessions')
        expect(len(server.messages), 80, 'messages')
    finally:
        server.close()
