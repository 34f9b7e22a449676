"""master_service_disable = inet, as postmulti writes it for a new instance: nothing listens, and mail of this machine goes on."""
import socket
from instance import Instance, expect

with Instance(main='master_service_disable = inet\n') as mail:
    with socket.socket() as s:
        expect(s.connect_ex(('127.0.0.1', mail.port)) != 0, True, 'the port is closed')
    mail.run('sendmail', '-f', 'a@remote.test', 'alice@example.test', input='Subject: x\n\ntext\n')
    mail.wait_for_mail('alice')
    mail.set('master_service_disable =\n')
    mail.run('postfix', 'stop')
    mail.run('postfix', 'start')
    mail.send()
    mail.wait_for_mail('alice', 2)
