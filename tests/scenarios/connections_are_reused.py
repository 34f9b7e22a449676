"""Many messages for one destination at once go over a few connections."""
from far_mail import sent_together
from instance import FarServer, Instance

far = FarServer()
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\ndefault_destination_concurrency_limit = 2\ndefer_transports = smtp\n') as mail:
    sent_together(mail, far, 40)
    if far.connections > 10:
        raise SystemExit(f'{far.connections} connections for 40 messages')
