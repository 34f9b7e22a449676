"""More silent hosts than there are deliveries at a time: mail for a host that answers passes all the same."""
import socket
from instance import FarServer, Instance, expect, wait_until

HOSTS = 20
silent = socket.create_server(('0.0.0.0', 0), backlog=1000)       # connections are accepted by the system; nothing is said
live = FarServer()
hops = ''.join(f'/@silent{i}\\.test$/ smtp:[127.0.3.{i + 1}]:{silent.getsockname()[1]}\n' for i in range(HOSTS))
files = {'transport': hops + f'/@live\\.test$/ smtp:[127.0.0.1]:{live.port}\n'}
with Instance(main='transport_maps = regexp:$config_directory/transport\ndefault_process_limit = 10\nsmtp_helo_timeout = 300s\nsmtp_connect_timeout = 300s\n',
              files=files) as mail:
    for i in range(HOSTS):
        for n in range(3):
            mail.send(to=[f'user{n}@silent{i}.test'])
    waiting = lambda: sum('silent' in str(entry['recipients']) and entry['queue_name'] == 'active' for entry in mail.entries())
    wait_until(lambda: waiting() == HOSTS * 3, 'deliveries to all silent hosts')
    # Ten at a time may run, and more than ten are waiting for a greeting.
    for n in range(30):
        mail.send(to=[f'user{n}@live.test'])
    live.wait_for(30)
    expect(waiting(), HOSTS * 3, 'messages that still wait for the silent hosts, when those for the live one have arrived')
    # An operator's own limit is kept: two at a time, however silent.
    mail.set(f'transport_maps = inline:{{ strict.test=strict:[127.0.3.99]:{silent.getsockname()[1]} }}\n')
    with open(mail.config + '/master.cf', 'a') as f:
        f.write('strict unix - - n - 2 smtp\n')
    mail.run('postfix', 'reload')
    mail.wait_for_log(r'reload -- version')
    for n in range(5):
        mail.send(to=[f'user{n}@strict.test'])
    opened = lambda: sum(line.split()[2].startswith('6303007F:') and line.split()[3] == '01' for line in open('/proc/net/tcp'))
    wait_until(lambda: opened() >= 2, 'two connections of the strict transport')
    expect(opened(), 2, 'connections of a transport whose limit is two')
live.close()
silent.close()
