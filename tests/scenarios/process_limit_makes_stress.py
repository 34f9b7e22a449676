"""Where maxproc is reached, later clients wait in the backlog, the log says so once, and new sessions get the settings of stress."""
import select, socket

from instance import Dialogue, Instance, expect, expect_match, free_port

port = free_port()
MASTER = f'''{port} inet n - n - 3 smtpd
  -o {{smtpd_banner=mail.example.test ${{stress?{{under stress}}:{{at ease}}}}}}
  -o smtpd_timeout=${{stress?{{1}}:{{100}}}}s
  -o {{smtpd_helo_restrictions=${{stress?{{reject}}:{{permit}}}}}}
  -o smtpd_delay_reject=no
'''
with Instance(main='inet_interfaces = all\nmynetworks = 127.0.0.0/8\n', master=MASTER) as mail:
    first = [Dialogue(port) for _ in range(3)]
    expect({d.greeting for d in first}, {'220 mail.example.test at ease'}, 'the first sessions')
    mail.wait_for_log(rf'postfix/master\[\d+\]: warning: service "{port}" \({port}\) has reached its process limit "3": new clients may experience noticeable delays$')
    with socket.create_connection(('127.0.0.1', port), timeout=30) as waiting:
        mail.send()
        mail.wait_for_mail('alice')
        expect(select.select([waiting], [], [], 0)[0], [], 'a greeting for a connection over the limit, while others are served')
        first[0].close()
        file = waiting.makefile('rb')
        expect(file.readline(), b'220 mail.example.test under stress\r\n', 'the next session')
        expect_match('^421 4.4.2 ', file.readline().decode(), 'its end after a short time')
    # Those that were there keep their manners.
    expect(first[1].say('NOOP'), '250 2.0.0 Ok', 'an earlier session')
    with Dialogue(port) as d:
        expect(d.greeting, '220 mail.example.test under stress', 'one more')
        expect(d.say('EHLO client.test'), '554 5.7.1 <client.test>: Helo command rejected: Access denied', 'restrictions under stress')
    expect(first[1].say('HELO client.test'), '250 mail.example.test', 'restrictions of those that were there')
    expect(len(mail.wait_for_log('has reached its process limit')), 1, 'warnings')
    for d in first[1:]:
        d.close()
