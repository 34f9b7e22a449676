#!/usr/bin/env python3
"""smtpd_dns_reply_filter: what the server says when answers of the name service are left out, compared with what Postfix 3.7.11 said.

  tests/compat/dns_filters.py [--record]

nsd serves a zone of our own, in a network name space (root). Each service has its own filter; dns_filters.txt has the replies of
each to the same commands, what the filter was asked (in the form in which tables see an answer), and the warnings. --record runs
Debian's Postfix instead and writes that file. What smtp_dns_reply_filter does is in dns_answers.py.
"""
import os, re, socket, subprocess, sys, threading, urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, 'tests', 'support')]
from instance import wait_until
from nsd_zone import NsdServer
from told_dialogue import talk
import reference

RECORDED = os.path.join(ROOT, 'tests', 'compat', 'dns_filters.txt')
ZONE = '''\
mail A 127.0.0.1
one MX 10 mail
two MX 10 mail
two MX 20 other
addr A 127.0.0.2
both A 127.0.0.2
both AAAA fd00::2
text TXT "words, \\"quoted\\""
1.0.0.127.bl A 127.0.0.2
1.0.0.127.bl TXT "listed for the test"
one.test.rh A 127.0.0.3
one.test.rh TXT "a bad domain"
'''.splitlines()
FILTERS = {
    'none': '/nothing/ IGNORE',
    'mx': '/ IN MX / IGNORE',
    'a': '/ IN A / IGNORE',
    'aaaa': '/ IN AAAA / IGNORE',
    'addresses': '/ IN (A|AAAA) / IGNORE',
    'txt': '/ IN TXT / IGNORE',
    'all': '/./ IGNORE',
    'some': '/^two.* IN MX 10 /IGNORE'.replace('/IGNORE', '/ IGNORE'),
    'list': r'/^1\.0\.0\.127\.bl\.test\. [0-9]+ IN A 127\.0\.0\.2$/ IGNORE',
    'bad': '/./ HOLD',
}
SERVICES = {name: (2610 + i, f'regexp:{{folder}}/{name}') for i, name in enumerate(FILTERS)}
SERVICES |= {'trouble': (2630, 'fail:x'), 'asked': (2631, 'tcp:127.0.0.1:2699')}
MAIN = '''\
myhostname = mail.golden.test
relay_domains = one.test, two.test, addr.test, both.test, nohost.test, text.test
mynetworks =
ekiden_dns_server = 127.0.0.1:53
notify_classes =
smtpd_delay_reject = no
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 100
smtpd_hard_error_limit = 100
smtpd_client_restrictions = warn_if_reject reject_rbl_client bl.test
smtpd_helo_restrictions = reject_unknown_helo_hostname
smtpd_sender_restrictions = reject_unknown_sender_domain, reject_rhsbl_sender rh.test
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = reject_unknown_recipient_domain
unknown_hostname_reject_code = 550
unknown_address_reject_code = 550
inet_protocols = all
'''
COMMANDS = ['HELO addr.test', 'HELO both.test', 'HELO one.test', 'HELO nohost.test', 'HELO text.test', 'MAIL FROM:<a@addr.test>', 'RSET', 'MAIL FROM:<a@both.test>', 'RSET',
            'MAIL FROM:<a@two.test>', 'RSET', 'MAIL FROM:<a@text.test>', 'RSET', 'MAIL FROM:<a@one.test>', 'RSET', 'MAIL FROM:<>', 'RCPT TO:<x@addr.test>', 'RCPT TO:<x@two.test>', 'RCPT TO:<x@nohost.test>', 'RSET',
            'MAIL FROM:<a@addr.test>', 'RCPT TO:<x@two.test>', 'RSET', 'MAIL FROM:<a@one.test>', 'RCPT TO:<x@two.test>', 'QUIT']


def master():
    return ''.join(f'127.0.0.1:{port} inet n - n - - smtpd -o syslog_name=postfix/{name} -o smtpd_dns_reply_filter={table}\n' for name, (port, table) in SERVICES.items())


class Asked:
    """a table that knows nothing, and what it was asked"""

    def __init__(self):
        self.keys = set()
        self.listener = socket.create_server(('127.0.0.1', 2699))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            s, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        with s, s.makefile('rwb') as f:
            for line in f:
                self.keys.add(urllib.parse.unquote(line.decode().split(' ', 1)[1].rstrip('\n')))
                f.write(b'500 no\n')
                f.flush()


def play(server):
    asked, got = Asked(), {}
    for name, (port, _) in SERVICES.items():
        wait_until(lambda: socket.socket().connect_ex(('127.0.0.1', port)) == 0, f'a server on port {port}')
        before = len(server.log())
        for i, (command, reply) in enumerate(zip(['', *COMMANDS], talk(port, COMMANDS))):
            got[f'{name} {i}'] = f'{command}: {reply.strip()}'
        wait_until(lambda: re.search(rf'postfix/{name}/smtpd\[\d+\]: disconnect from \S+ helo', server.log()[before:]), f'the end of {name}')
        said = re.findall(rf'postfix/{name}/smtpd\[\d+\]: (warning: .*|NOQUEUE: reject_warning: .*)', server.log()[before:])
        got[f'{name} log'] = ' | '.join(dict.fromkeys(re.sub(r'(?<=two.test. )60 IN MX \d+ \w+', 'EITHER', line) for line in said))
    got['asked keys'] = ' | '.join(sorted(re.sub(r' \d+ IN ', ' TTL IN ', key) for key in asked.keys))
    return got


if __name__ == '__main__':
    is_recording, player = reference.player()
    names = []

    def begin(folder):
        names.append(NsdServer(folder, {'test': ZONE}, broken=['lame'], port=53))
        reference.private_etc(folder, {'resolv.conf': 'nameserver 127.0.0.1\noptions timeout:2\n', 'hosts': '127.0.0.1 localhost\n', 'nsswitch.conf': 'hosts: files dns\n'})
    with player(MAIN, master(), FILTERS, begin) as server:
        got = play(server)
        names[0].__exit__()
    reference.conclude(RECORDED, got, is_recording, 'answers')
