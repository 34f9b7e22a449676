#!/usr/bin/env python3
"""Where mail goes, for every kind of answer that a name server gives, compared with where Postfix 3.7.11 sent it.

  tests/compat/dns_answers.py [--record]

nsd serves a zone of our own; the far sides are on addresses of their own, port 25, in a network name space (root). Each row of
CASES is a domain (or next hop) with the settings it is delivered under; dns_answers.txt has what Postfix made of it. --record runs
Debian's Postfix instead and writes that file.
"""
import os, re, smtplib, subprocess, sys, threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, 'tests', 'support')]
from instance import FarServer, wait_until
from nsd_zone import NsdServer
import reference

RECORDED = os.path.join(ROOT, 'tests', 'compat', 'dns_answers.txt')
# 127.0.0.21-25 and fd00::21 take mail, .31-.35 refuse connections, .41-.42 greet with 421, .51-.52 with 554.
GOOD, BUSY, RUDE = ['127.0.0.21', '127.0.0.22', '127.0.0.23', '127.0.0.24', '127.0.0.25', 'fd00::21'], ['127.0.0.41', '127.0.0.42'], ['127.0.0.51', '127.0.0.52']
ZONE = '''\
mail.example A 127.0.0.1
good1 A 127.0.0.21
good2 A 127.0.0.22
bound1 A 127.0.0.24
bound2 A 127.0.0.25
good6 AAAA fd00::21
both A 127.0.0.21
both AAAA fd00::21
dead1 A 127.0.0.31
dead2 A 127.0.0.32
dead3 A 127.0.0.33
dead6 AAAA fd00::99
busy1 A 127.0.0.41
busy2 A 127.0.0.42
rude1 A 127.0.0.51
rude2 A 127.0.0.52
text TXT "no address"
alias CNAME good1
alias2 CNAME alias
nowhere CNAME nohost
one MX 10 good1
equal MX 10 good1
equal MX 10 good2
failover MX 10 dead1
failover MX 20 busy1
failover MX 30 good1
order MX 30 good2
order MX 10 good1
null MX 0 .
nullplus MX 0 .
nullplus MX 10 good1
nulllast MX 10 good1
nulllast MX 20 .
nulltwice MX 0 .
nulltwice MX 5 .
cname CNAME one
cname2 CNAME cname
cnameloop CNAME cnameloop2
cnameloop2 CNAME cnameloop
cnamenowhere CNAME nohost
cnamelame CNAME host.lame.
aonly A 127.0.0.21
aaaaonly AAAA fd00::21
mx6 MX 10 good6
literal MX 10 127.0.0.21.
mxcname MX 10 alias
mxcname2 MX 10 alias2
mxnowhere MX 10 nowhere
mxnohost MX 10 nohost
mxtext MX 10 text
mxmixed MX 10 nohost
mxmixed MX 20 text
mxlame MX 10 host.lame.
mxlamefirst MX 10 host.lame.
mxlamefirst MX 20 good1
mxlamelast MX 10 nohost
mxlamelast MX 20 host.lame.
mxrefused MX 10 host.refused.
self MX 10 mail.example
selfbest MX 10 mail.example
selfbest MX 20 good1
selfbackup MX 10 dead1
selfbackup MX 20 mail.example
selfbackup MX 30 good1
selfequal MX 10 good1
selfequal MX 10 mail.example
selfonly A 127.0.0.1
alldead MX 10 dead1
alldead MX 20 dead2
allbusy MX 10 busy1
allbusy MX 20 busy2
allrude MX 10 rude1
allrude MX 20 rude2
ruderest MX 10 rude1
ruderest MX 20 good1
deads MX 10 dead1
deads MX 20 dead2
deads MX 30 dead3
deads MX 40 good1
busies MX 10 busy1
busies MX 20 busy2
busies MX 30 good1
dual MX 10 both
bal6 MX 10 dead6
bal6 MX 20 dead7
bal6 MX 30 dead8
bal6 MX 40 dead9
bal6 MX 50 good1
bal4 MX 10 dead1
bal4 MX 20 dead2
bal4 MX 30 dead3
bal4 MX 40 good6
bal66 MX 10 dead6
bal66 MX 20 dead7
bal66 MX 30 dead8
bal66 MX 40 dead1
bal66 MX 50 good1
wide A 127.0.0.31
wide A 127.0.0.32
wide A 127.0.0.33
wide AAAA fd00::21
dead7 AAAA fd00::98
dead8 AAAA fd00::97
dead9 AAAA fd00::96
dead46 MX 10 dead6
dead46 MX 20 dead1
dead46 MX 30 good1
'''.splitlines() + [f'many MX {10 + i} a-rather-long-name-of-a-mail-host-{i:03}' for i in range(90)] \
                 + [f'a-rather-long-name-of-a-mail-host-{i:03} A 127.0.0.{21 if i == 3 else 31}' for i in range(90)]

PLAIN = ['one', 'equal', 'failover', 'order', 'null', 'nullplus', 'nulllast', 'nulltwice', 'cname', 'cname2', 'cnameloop', 'cnamenowhere', 'cnamelame', 'aonly', 'aaaaonly',
         'mx6', 'literal', 'mxcname', 'mxcname2', 'mxnowhere', 'mxnohost', 'mxtext', 'mxmixed', 'mxlame', 'mxlamefirst', 'mxlamelast', 'mxrefused', 'self',
         'selfbest', 'selfbackup', 'selfequal', 'selfonly', 'alldead', 'allbusy', 'allrude', 'ruderest', 'deads', 'busies', 'dual', 'dead46', 'many', 'text',
         'nohost', 'host.lame.', 'host.refused.']
# name, next hop, settings of the transport
CASES = [(name.rstrip('.').replace('.', '-'), name.rstrip('.') if name.endswith('.') else name + '.test', '') for name in PLAIN] + [
    ('bracket-good', '[good1.test]', ''),
    ('bracket-mx', '[one.test]', ''),
    ('bracket-alias', '[alias2.test]', ''),
    ('bracket-nohost', '[nohost.test]', ''),
    ('bracket-lame', '[host.lame]', ''),
    ('bracket-self', '[mail.example.test]', ''),
    ('bracket-literal', '[127.0.0.21]', ''),
    ('bracket-v6', '[fd00::21]', ''),
    ('bare-literal', '127.0.0.21', ''),
    ('literal-self', '[127.0.0.1]', ''),
    ('bare-self', '127.0.0.1', ''),
    ('bare-self-port', '127.0.0.1:2626', ''),
    ('native-nohost', '[nohost.test]', '-o smtp_host_lookup=native'),
    ('native-text', '[text.test]', '-o smtp_host_lookup=native'),
    ('native-lame', '[host.lame]', '-o smtp_host_lookup=native'),
    ('native-mx-nohost', 'mxnohost.test', '-o smtp_host_lookup=native'),
    ('native-mx-null', 'null.test', '-o smtp_host_lookup=native'),
    ('both-nohost', '[nohost.test]', '-o smtp_host_lookup=dns,native'),
    ('both-mx', 'one.test', '-o smtp_host_lookup=dns,native'),
    ('both-hosted', '[hosted.test]', '-o smtp_host_lookup=dns,native'),
    ('native-hosted', '[hosted.test]', '-o smtp_host_lookup=native'),
    ('disabled-dns', 'one.test', '-o disable_dns_lookups=yes'),
    ('disabled-dns-a', 'aonly.test', '-o disable_dns_lookups=yes'),
    ('hosts-dns', '[only.in.hosts]', ''),
    ('hosts-native', '[only.in.hosts]', '-o smtp_host_lookup=native'),
    ('hosts-both', '[only.in.hosts]', '-o smtp_host_lookup=dns,native'),
    ('mx-native', 'one.test', '-o smtp_host_lookup=native'),
    ('no-dns', 'one.test', '-o disable_dns_lookups=yes -o smtp_dns_support_level=disabled'),
    ('ignore-mx-lame', 'host.lame', '-o ignore_mx_lookup_error=yes'),
    ('ignore-mx-one', 'one.test', '-o ignore_mx_lookup_error=yes'),
    ('defer-mxnohost', 'mxnohost.test', '-o smtp_defer_if_no_mx_address_found=yes'),
    ('defer-mxtext', 'mxtext.test', '-o smtp_defer_if_no_mx_address_found=yes'),
    ('defer-nohost', 'nohost.test', '-o smtp_defer_if_no_mx_address_found=yes'),
    ('address-limit-3', 'deads.test', '-o smtp_mx_address_limit=3'),
    ('address-limit-4', 'deads.test', '-o smtp_mx_address_limit=4'),
    ('address-limit-0', 'deads.test', '-o smtp_mx_address_limit=0'),
    ('session-limit-1', 'busies.test', '-o smtp_mx_session_limit=1'),
    ('session-limit-3', 'busies.test', '-o smtp_mx_session_limit=3'),
    ('session-limit-0', 'busies.test', '-o smtp_mx_session_limit=0'),
    ('session-limit-rude', 'ruderest.test', '-o smtp_mx_session_limit=1'),
    ('prefer-v4', 'dual.test', '-o smtp_address_preference=ipv4'),
    ('prefer-v6', 'dual.test', '-o smtp_address_preference=ipv6'),
    ('only-v4', 'aaaaonly.test', '-o inet_protocols=ipv4'),
    ('only-v4-mx6', 'mx6.test', '-o inet_protocols=ipv4'),
    ('balance', 'dead46.test', '-o smtp_mx_address_limit=2'),
    ('balance-bal6-1', 'bal6.test', '-o smtp_mx_address_limit=1'),
    ('balance-bal6-2', 'bal6.test', '-o smtp_mx_address_limit=2'),
    ('balance-bal6-3', 'bal6.test', '-o smtp_mx_address_limit=3'),
    ('balance-bal6-4', 'bal6.test', '-o smtp_mx_address_limit=4'),
    ('balance-bal6-5', 'bal6.test', '-o smtp_mx_address_limit=5'),
    ('balance-bal4-1', 'bal4.test', '-o smtp_mx_address_limit=1'),
    ('balance-bal4-2', 'bal4.test', '-o smtp_mx_address_limit=2'),
    ('balance-bal4-3', 'bal4.test', '-o smtp_mx_address_limit=3'),
    ('balance-bal4-4', 'bal4.test', '-o smtp_mx_address_limit=4'),
    ('balance-bal4-5', 'bal4.test', '-o smtp_mx_address_limit=5'),
    ('balance-bal66-1', 'bal66.test', '-o smtp_mx_address_limit=1'),
    ('balance-bal66-2', 'bal66.test', '-o smtp_mx_address_limit=2'),
    ('balance-bal66-3', 'bal66.test', '-o smtp_mx_address_limit=3'),
    ('balance-bal66-4', 'bal66.test', '-o smtp_mx_address_limit=4'),
    ('balance-bal66-5', 'bal66.test', '-o smtp_mx_address_limit=5'),
    ('no-balance-bal6', 'bal6.test', '-o smtp_mx_address_limit=3 -o smtp_balance_inet_protocols=no'),
    ('balance-wide', 'wide.test', '-o smtp_mx_address_limit=2 -o smtp_address_preference=ipv4'),
    ('no-balance', 'dead46.test', '-o smtp_mx_address_limit=2 -o smtp_balance_inet_protocols=no'),
    ('fallback-nohost', 'nohost.test', '-o smtp_fallback_relay=[good2.test]'),
    ('fallback-null', 'null.test', '-o smtp_fallback_relay=[good2.test]'),
    ('fallback-lame', 'host.lame', '-o smtp_fallback_relay=[good2.test]'),
    ('fallback-dead', 'alldead.test', '-o smtp_fallback_relay=[good2.test]'),
    ('fallback-busy', 'allbusy.test', '-o smtp_fallback_relay=[good2.test]'),
    ('fallback-self', 'self.test', '-o smtp_fallback_relay=[good2.test]'),
    ('fallback-selfbackup', 'selfbackup.test', '-o smtp_fallback_relay=[good2.test]'),
    ('fallback-two', 'alldead.test', '-o smtp_fallback_relay=[dead3.test],[good2.test]'),
    ('fallback-none', 'alldead.test', '-o smtp_fallback_relay=[nohost.test]'),
    ('fallback-mx', 'alldead.test', '-o smtp_fallback_relay=order.test'),
    ('rude-keeps', 'ruderest.test', '-o smtp_skip_5xx_greeting=no'),
    ('rude-skips', 'allrude.test', '-o smtp_skip_5xx_greeting=yes'),
    ('list', '[dead1.test],[good1.test]', ''),
    ('list-nohost', 'nohost.test,order.test', ''),
    ('list-null', 'null.test,one.test', ''),
    ('list-lame', 'host.lame,one.test', ''),
    ('list-self', 'self.test,one.test', ''),
    ('list-selfbackup', 'selfbackup.test,one.test', ''),
    ('list-self-last', 'alldead.test,self.test', ''),
    ('list-self-fallback', 'alldead.test,self.test', '-o smtp_fallback_relay=[good2.test]'),
    ('fallback-lame2', 'alldead.test', '-o smtp_fallback_relay=[host.lame]'),
    ('fallback-null2', 'alldead.test', '-o smtp_fallback_relay=null.test'),
    ('list-nohost-last', 'alldead.test,[nohost.test]', ''),
    ('port', '[good1.test]:2626', ''),
    ('port-name', '[good1.test]:smtp', ''),
    ('port-mx-self', 'self.test:2626', ''),
    ('bind', '[bound1.test]', '-o smtp_bind_address=127.0.0.77'),
    ('bind-missing', '[bound2.test]', '-o smtp_bind_address=192.0.2.77'),
    ('bind-v6', '[good6.test]', '-o smtp_bind_address=127.0.0.77'),
    ('filter-mx', 'one.test', '-o smtp_dns_reply_filter=regexp:{folder}/drop-mx'),
    ('filter-mx-some', 'failover.test', '-o smtp_dns_reply_filter=regexp:{folder}/drop-some'),
    ('filter-mx-none', 'aonly.test', '-o smtp_dns_reply_filter=regexp:{folder}/drop-mx'),
    ('filter-host', 'equal.test', '-o smtp_dns_reply_filter=regexp:{folder}/drop-good1'),
    ('filter-only-host', 'one.test', '-o smtp_dns_reply_filter=regexp:{folder}/drop-good1'),
    ('filter-bracket', '[good1.test]', '-o smtp_dns_reply_filter=regexp:{folder}/drop-good1'),
    ('filter-bracket-wide', '[wide.test]', '-o smtp_dns_reply_filter=regexp:{folder}/drop-a'),
    ('filter-family', 'dual.test', '-o smtp_dns_reply_filter=regexp:{folder}/drop-aaaa -o smtp_address_preference=ipv6'),
    ('filter-all', '[both.test]', '-o smtp_dns_reply_filter=regexp:{folder}/drop-all'),
    ('filter-native', '[good1.test]', '-o smtp_dns_reply_filter=regexp:{folder}/drop-good1 -o smtp_host_lookup=native'),
    ('filter-trouble', 'one.test', '-o smtp_dns_reply_filter=fail:x'),
    ('filter-trouble-host', '[good1.test]', '-o smtp_dns_reply_filter=fail:x'),
    ('filter-bad', 'one.test', '-o smtp_dns_reply_filter=regexp:{folder}/bad-action'),
    ('filter-absent', 'nohost.test', '-o smtp_dns_reply_filter=regexp:{folder}/drop-all'),
    ('best-mx', 'self.test', '-o best_mx_transport=discard'),
    ('best-mx-selfbackup', 'selfbackup.test', '-o best_mx_transport=discard'),
    ('best-mx-alldead', 'alldead.test', '-o best_mx_transport=discard'),
]
# Where Ekiden differs on purpose: its resolver (libunbound) follows CNAMEs itself. A loop is trouble, not absence, so the mail waits; and the
# name in the text is the one that was asked for.
OWN = {
    'cnameloop': 'smtp relay=none 4.4.3 deferred (Host or domain name not found. Name service error for name=cnameloop.test type=MX: Host not found, try again)',
    'cnamelame': 'smtp relay=none 4.4.3 deferred (Host or domain name not found. Name service error for name=cnamelame.test type=MX: Host not found, try again)',
}
FILTERS = {
    'drop-mx': r'/^[^ ]+\. [0-9]+ IN MX / IGNORE',
    'drop-some': r'/ IN MX [0-9]+ (dead1|busy1)\.TEST\.$/ ignore',
    'drop-good1': r'/^good1\.test\. [0-9]+ IN A 127\.0\.0\.21$/ IGNORE',
    'drop-a': r'/ IN A / IGNORE',
    'drop-aaaa': r'/ IN AAAA fd00:/ IGNORE',
    'drop-all': '/./ IGNORE',
    'bad-action': '/./ REJECT',
}
BOUND = {'bind': '127.0.0.24', 'bind-missing': '127.0.0.25'}     # whose address is of interest
MAIN = '''\
transport_maps = texthash:{folder}/transport
notify_classes =
inet_protocols = all
ekiden_dns_server = 127.0.0.1:53
mynetworks = 127.0.0.0/8
smtp_connect_timeout = 5s
relayhost =
'''


def transports():
    return 'sender.test discard:\n' + ''.join(f'{name}.case {"t-" + name if more else "smtp"}:{hop}\n' for name, hop, more in CASES)


def master():
    return ''.join(f't-{name} unix - - n - - smtp {more}\n' for name, _, more in CASES if more)


class Far(FarServer):
    """knows who connects: peers[its address] are those"""
    peers = {}

    def serve(self, s):
        self.peers.setdefault(s.getsockname()[0], set()).add(s.getpeername()[0])
        super().serve(s)


def far_sides():
    for address in GOOD:
        Far(host=address, port=25) if ':' not in address else Far6(address)
    for address in BUSY:
        Far(host=address, port=25, greeting='421 4.3.2 busy')
    for address in RUDE:
        Far(host=address, port=25, greeting='554 5.3.2 go away')


class Far6(Far):
    def __init__(self, address):
        import socket
        self.address = address
        create = socket.create_server
        socket.create_server = lambda at: create(at, family=socket.AF_INET6)
        try:
            super().__init__(host=address, port=25)
        finally:
            socket.create_server = create


def outcome_lines(log):
    found = {}
    for m in re.finditer(r'postfix/([\w/-]+)\[\d+\]: \w+: to=<x@([\w-]+)\.case>, relay=(.*?), .*dsn=([\d.]+), status=(\w+) \((.*)\)$', log, re.M):
        agent, name, relay, dsn, status, text = m.groups()
        if name == 'equal':                    # whichever comes first
            relay = re.sub(r'good[12]\.test\[127\.0\.0\.2[12]\]', 'EITHER', relay)
        if name in ('dual', 'bracket-both'):
            relay = re.sub(r'\[(127\.0\.0\.21|fd00::21)\]', '[EITHER]', relay)
        found.setdefault(name, []).append(f'{agent.split("/")[-1]} relay={relay} {dsn} {status} ({text})')
    return found


def play(server):
    with smtplib.SMTP('127.0.0.1', server.port, local_hostname='client.test', timeout=60) as s:
        for name, _, _ in CASES:
            s.sendmail('a@sender.test', [f'x@{name}.case'], 'Subject: x\n\nHello\n')
    wanted = {name for name, _, _ in CASES}
    wait_until(lambda: wanted <= set(outcome_lines(server.log())), lambda: f'{sorted(wanted - set(outcome_lines(server.log())))}', 90)
    found = outcome_lines(server.log())
    return {name: ' then '.join(found[name]) + (f' from {sorted(Far.peers[BOUND[name]])}' if name in BOUND else '') for name, _, _ in CASES}


if __name__ == '__main__':
    is_recording, player = reference.player()
    for address in ('fd00::21', 'fd00::96', 'fd00::97', 'fd00::98', 'fd00::99'):
        subprocess.run(['ip', '-6', 'addr', 'add', address + '/128', 'dev', 'lo', 'nodad'], check=True)
    far_sides()
    names = []

    def begin(folder):
        names.append(NsdServer(folder, {'test': ZONE}, broken=['lame'], port=53))
        reference.private_etc(folder, {'resolv.conf': 'nameserver 127.0.0.1\noptions timeout:2\n', 'hosts': '127.0.0.1 localhost\n127.0.0.22 only.in.hosts hosted.test\n',
                                       'nsswitch.conf': 'hosts: files dns\n'})
    with player(MAIN, master(), {'transport': transports(), **FILTERS}, begin) as server:
        got = play(server)
        names[0].__exit__()
    reference.conclude(RECORDED, got, is_recording, 'answers', OWN)
