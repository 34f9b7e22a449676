"""A new connection to a server resumes the TLS session of the one before, with what was found out about its certificate then."""
import ssl

from far_mail import verified_relay
from instance import Instance, expect

for highest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    with Instance(start=False) as mail:
        far = verified_relay(mail, highest)
        mail.set('smtp_connection_cache_on_demand = no\n')
        mail.start()
        for i in range(3):
            mail.send(to=['b@far.test'])
            far.wait_for(i + 1)
            mail.wait_for_empty_queue()
        expect((far.connections, far.resumed), (3, 2), 'connections and resumed sessions')
        expect(mail.log().count('Verified TLS connection established'), 3, 'verified connections')
