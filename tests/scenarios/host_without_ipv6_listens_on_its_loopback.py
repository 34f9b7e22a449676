"""inet_interfaces = loopback-only and inet_protocols = all on a host that knows IPv6 and has no address of it, as most containers: it
listens on what is there."""
from instance import Instance, expect_match
from own_mounts import in_own_mount_namespace

in_own_mount_namespace(network=True)
for interface in ('all', 'lo'):
    with open(f'/proc/sys/net/ipv6/conf/{interface}/disable_ipv6', 'w') as switch:
        switch.write('1')
with Instance(start=False) as mail:
    with open(f'{mail.config}/main.cf') as f:
        main = f.read()
    mail.write('main.cf', main + 'inet_interfaces = loopback-only\ninet_protocols = all\n')
    with open(f'{mail.config}/master.cf') as f:
        lines = f.read()
    mail.write('master.cf', lines.replace('127.0.0.1:', ''))
    mail.start()
    mail.send()
    expect_match('Subject: test', mail.wait_for_mail('alice')[0], 'the message')
