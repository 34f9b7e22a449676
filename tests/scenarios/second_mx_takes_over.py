"""The best exchanger refuses the connection, the next one greets with 4xx, the third takes the message."""
from instance import FarServer, Instance, expect

third = FarServer(host='127.0.0.13')
second = FarServer(host='127.0.0.12', port=third.port, greeting='421 4.3.2 not now')
zone = {('far.test', 'MX'): [(30, 'c.far.test'), (10, 'a.far.test'), (20, 'b.far.test')],
        ('a.far.test', 'A'): ['127.0.0.11'], ('b.far.test', 'A'): ['127.0.0.12'], ('c.far.test', 'A'): ['127.0.0.13']}
with Instance(zone=zone, main=f'transport_maps = inline:{{ far.test=smtp:far.test:{third.port} }}\n') as mail:
    mail.send('a@remote.test', ['b@far.test'])
    expect(len(third.wait_for()), 1, 'messages at the third')
    expect(second.connections, 1, 'connections to the second')
    mail.wait_for_log(rf'connect to a\.far\.test\[127\.0\.0\.11\]:{third.port}: Connection refused')
    mail.wait_for_log(rf'relay=c\.far\.test\[127\.0\.0\.13\]:{third.port}, .*status=sent \(250 2\.0\.0 queued as FAR\)')
    mail.wait_for_empty_queue()
