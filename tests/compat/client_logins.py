#!/usr/bin/env python3
"""As whom mail logs in at other servers, by which mechanism, and what becomes of it, compared with what Postfix 3.7.11 did.

  tests/compat/client_logins.py [--record]

Each case has a server of its own that wants a login, at an address of its own, port 25 or 2600, in a network name space (root), with
names from nsd. `{c}` in a case is that server's name, `{m}` a domain whose MX it is, `{a}` its address. client_logins.txt has what
Postfix made of it; --record runs Debian's Postfix and writes it.
"""
import os, re, smtplib, ssl, sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
from certificates import Certificates
from instance import wait_until
from nsd_zone import NsdServer
from secure_server import SecureServer
import reference

RECORDED = os.path.join(ROOT, 'tests', 'compat', 'client_logins.txt')
USERS = {name: 'secret of ' + name for name in ('u', 'v', 'w')}
KEYS = ['[{c}]:2600', '{c}:2600', '[{c}]', '{c}', '[{m}]', '{m}', '{m}:2600', '{a}', '[{a}]', 'test', '.test', '{C}', 'smtp:[{c}]:2600']
HOPS = {'host': '[{c}]', 'hostport': '[{c}]:2600', 'barehostport': '{c}:2600', 'mx': '{m}', 'mxport': '{m}:2600', 'upper': '[{C}]:2600', 'literal': '[{a}]:2600'}


def case(name, hop='[{c}]:2600', table='{c} u', options='', sender='a@s.test', count=1, **server):
    return dict(name=name, hop=hop, table=table, options=options, sender=sender, count=count, server=server)


OPEN = '-o smtp_sasl_security_options='
CASES = [case(f'key-{hop}-{i}', HOPS[hop], key + ' u', OPEN) for hop in HOPS for i, key in enumerate(KEYS)] + [
    case('both-host-and-hop', table='{c} u\n[{c}]:2600 v', options=OPEN),
    case('both-mx-and-host', '{m}', '{c} u\n{m} v', OPEN),
    case('no-password', table='{c} u:', options=OPEN),
    case('no-colon', table='{c} onlyuser', options=OPEN),
    case('empty-user', table='{c} :p', options=OPEN),
    case('colon-in-password', table='{c} w:a:b', options=OPEN),
    case('no-auth-offered', options=OPEN, mechanisms=''),
    case('not-enabled', options='-o smtp_sasl_auth_enable=no'),
    case('default-options'),
    case('default-options-cram', mechanisms='PLAIN LOGIN CRAM-MD5'),
    case('noplaintext', options='-o smtp_sasl_security_options=noplaintext', mechanisms='PLAIN LOGIN'),
    case('noanonymous', options='-o smtp_sasl_security_options=noanonymous', mechanisms='PLAIN ANONYMOUS'),
    case('noactive', options='-o smtp_sasl_security_options=noactive', mechanisms='PLAIN CRAM-MD5'),
    case('nodictionary', options='-o smtp_sasl_security_options=nodictionary', mechanisms='PLAIN CRAM-MD5'),
    case('mutual', options='-o smtp_sasl_security_options=mutual_auth', mechanisms='PLAIN CRAM-MD5'),
    case('forward', options='-o smtp_sasl_security_options=forward_secrecy', mechanisms='PLAIN CRAM-MD5'),
    case('plain', options=OPEN, mechanisms='PLAIN'),
    case('login', options=OPEN, mechanisms='LOGIN'),
    case('cram', options=OPEN, mechanisms='CRAM-MD5'),
    case('plain-login', options=OPEN, mechanisms='PLAIN LOGIN'),
    case('login-plain', options=OPEN, mechanisms='LOGIN PLAIN'),
    case('all', options=OPEN, mechanisms='PLAIN LOGIN CRAM-MD5'),
    case('lower', options=OPEN, mechanisms='plain login'),
    case('unknown', options=OPEN, mechanisms='X-OWN GSSAPI'),
    case('filter-plain', options=OPEN + ' -o smtp_sasl_mechanism_filter=plain', mechanisms='PLAIN LOGIN CRAM-MD5'),
    case('filter-login', options=OPEN + ' -o smtp_sasl_mechanism_filter=LOGIN', mechanisms='PLAIN LOGIN CRAM-MD5'),
    case('filter-not', options=OPEN + ' -o smtp_sasl_mechanism_filter=!cram-md5,static:all', mechanisms='PLAIN CRAM-MD5'),
    case('filter-list', options=OPEN + ' -o smtp_sasl_mechanism_filter=plain,login', mechanisms='CRAM-MD5 LOGIN'),
    case('filter-nothing', options=OPEN + ' -o smtp_sasl_mechanism_filter=gssapi', mechanisms='PLAIN LOGIN'),
    case('filter-file', options=OPEN + ' -o smtp_sasl_mechanism_filter={folder}/filter', mechanisms='PLAIN LOGIN CRAM-MD5'),
    case('refused', table='{c} u:wrong', options=OPEN),
    case('refused-hard', table='{c} u:wrong', options=OPEN + ' -o smtp_sasl_auth_soft_bounce=no'),
    case('later', options=OPEN, auth_answer='454 4.7.0 not now'),
    case('later-hard', options=OPEN + ' -o smtp_sasl_auth_soft_bounce=no', auth_answer='454 4.7.0 not now'),
    case('unsupported', options=OPEN, auth_answer='504 5.5.4 no such mechanism'),
    case('too-weak', options=OPEN, auth_answer='534 5.7.9 mechanism too weak'),
    case('needs-tls', options=OPEN, auth_answer='538 5.7.11 encryption required'),
    case('bye', options=OPEN, auth_answer='421 4.3.2 shutting down'),
    case('cached', table='{c} u:wrong', options=OPEN, count=2),
    case('cached-hard', table='{c} u:wrong', options=OPEN + ' -o smtp_sasl_auth_soft_bounce=no', count=2),
    case('uncached', table='{c} u:wrong', options=OPEN + ' -o smtp_sasl_auth_cache_name=', count=2),
    case('sender', table='a@s.test v\n{c} u', options=OPEN + ' -o smtp_sender_dependent_authentication=yes'),
    case('sender-off', table='a@s.test v\n{c} u', options=OPEN),
    case('sender-domain', table='@s.test v\n{c} u', options=OPEN + ' -o smtp_sender_dependent_authentication=yes'),
    case('sender-bare-domain', table='s.test v\n{c} u', options=OPEN + ' -o smtp_sender_dependent_authentication=yes'),
    case('sender-both', table='@s.test v\na@s.test w\n{c} u', options=OPEN + ' -o smtp_sender_dependent_authentication=yes'),
    case('sender-extension', table='a@s.test v\n{c} u', options=OPEN + ' -o smtp_sender_dependent_authentication=yes -o recipient_delimiter=+', sender='a+x@s.test'),
    case('sender-case', table='a@s.test v\n{c} u', options=OPEN + ' -o smtp_sender_dependent_authentication=yes', sender='A@S.test'),
    case('sender-null', table='a@s.test v\n{c} u', options=OPEN + ' -o smtp_sender_dependent_authentication=yes', sender=''),
    case('sender-user', table='a v\n{c} u', options=OPEN + ' -o smtp_sender_dependent_authentication=yes'),
    case('sender-without', table='b@s.test v', options=OPEN + ' -o smtp_sender_dependent_authentication=yes'),
    case('tls-may', options='-o smtp_tls_security_level=may -o smtp_sasl_security_options=noplaintext -o smtp_sasl_tls_security_options=noanonymous', tls=True),
    case('tls-may-noplain', options='-o smtp_tls_security_level=may', tls=True),
    case('tls-verified', options='-o smtp_tls_security_level=secure -o smtp_tls_secure_cert_match=far.test -o smtp_tls_CAfile={private}/certificates/far.pem '
         '-o smtp_sasl_tls_security_options=noplaintext -o smtp_sasl_tls_verified_security_options=noanonymous', tls=True),
    case('tls-encrypted-only', options='-o smtp_tls_security_level=encrypt -o smtp_sasl_tls_security_options=noplaintext -o smtp_sasl_tls_verified_security_options=noanonymous', tls=True),
    case('tls-offered-inside', options=OPEN + ' -o smtp_tls_security_level=may', tls=True, mechanisms='', encrypted_mechanisms='PLAIN'),
    case('dane', options=OPEN + ' -o smtp_tls_security_level=dane', tls=True),
    case('dane-no-tls', options=OPEN + ' -o smtp_tls_security_level=dane'),
    case('dane-only', options=OPEN + ' -o smtp_tls_security_level=dane-only', tls=True),
    case('policy-host', options=OPEN + ' -o smtp_tls_policy_maps=inline:{{c}=encrypt}'),
    case('policy-hop', options=OPEN + ' -o smtp_tls_policy_maps=inline:{[{c}]:2600=encrypt}'),
    case('policy-hop-tls', options=OPEN + ' -o smtp_tls_policy_maps=inline:{[{c}]:2600=encrypt}', tls=True),
    case('policy-bare', options=OPEN + ' -o smtp_tls_policy_maps=inline:{{c}:2600=encrypt}'),
    case('policy-mx', '{m}', options=OPEN + ' -o smtp_tls_policy_maps=inline:{{m}=encrypt}'),
    case('policy-mx-host', '{m}', options=OPEN + ' -o smtp_tls_policy_maps=inline:{{c}=encrypt}'),
    case('policy-parent', '{m}', options=OPEN + ' -o smtp_tls_policy_maps=inline:{.test=encrypt}'),
    case('policy-none', options=OPEN + ' -o smtp_tls_security_level=encrypt -o smtp_tls_policy_maps=inline:{[{c}]:2600=none}'),
    case('policy-bad', options=OPEN + ' -o smtp_tls_policy_maps=inline:{[{c}]:2600=strong}'),
]
MAIN = '''\
transport_maps = texthash:{private}/transport
notify_classes =
relayhost =
ekiden_dns_server = 127.0.0.1:53
smtp_connection_cache_on_demand = no
smtp_sasl_auth_cache_name = proxy:btree:{private}/cache/failures
'''


def words(number):
    return dict(c=f'c{number}.test', C=f'C{number}.TEST', m=f'm{number}.test', a=f'127.0.4.{number + 1}', folder='{private}/files')


def master():
    """lines of master.cf; braces of inline: tables are doubled for the formatting that follows"""
    text = ''
    for i, one in enumerate(CASES):
        options = one['options']
        for word, value in words(i).items():
            options = options.replace('{' + word + '}', value)
        options = options.replace('{', '{{').replace('}', '}'*2).replace('{{private}}', '{private}')
        text += f't{i} unix - - n - 1 smtp -o smtp_sasl_auth_enable=yes -o smtp_sasl_password_maps=texthash:{{private}}/files/table{i} {options}\n'
    return text


def begin(folder, state):
    os.makedirs(os.path.join(folder, 'files'))
    os.makedirs(os.path.join(folder, 'cache'))
    os.chmod(os.path.join(folder, 'cache'), 0o777)
    made = Certificates(folder)
    made.make('far', cn='far.test')
    os.chmod(made.folder, 0o755)
    zone, transport = [], 'sender.test discard:\ns.test discard:\n'
    for i, one in enumerate(CASES):
        w = words(i)
        zone += [f'c{i} A {w["a"]}', f'm{i} MX 10 c{i}']
        transport += f'{one["name"]}.case t{i}:{one["hop"].format(**w)}\n'
        rows = []
        for row in one['table'].format(**w).split('\n'):
            key, value = row.split(' ', 1)
            rows.append(f'{key} {value}' if ':' in value or value not in USERS else f'{key} {value}:{USERS[value]}')
        with open(f'{folder}/files/table{i}', 'w') as out:
            out.write('\n'.join(rows) + '\n')
        how = dict(one['server'])
        if how.pop('tls', False):
            how['certificate'] = (made.path('far.pem'), made.path('far.key'))
        how.setdefault('mechanisms', 'PLAIN LOGIN')
        state[one['name']] = [SecureServer(users=USERS, host=w['a'], port=port, **how) for port in (25, 2600)]
    with open(f'{folder}/files/filter', 'w') as out:
        out.write('login\n')
    with open(f'{folder}/transport', 'w') as out:
        out.write(transport)
    state['nsd'] = NsdServer(folder, {'test': zone}, port=53)
    reference.private_etc(folder, {'resolv.conf': 'nameserver 127.0.0.1\n'})


def outcomes(log):
    found = {}
    for m in re.finditer(r'to=<x@([\w-]+)\.case>, .*relay=(.*?), .*dsn=([\d.]+), status=(\w+) \((.*)\)$', log, re.M):
        name, relay, dsn, status, text = m.groups()
        found.setdefault(name, []).append(f'{dsn} {status} (' + re.sub(r'\bc\d+\.test|C\d+\.TEST', 'HOST', re.sub(r'127\.0\.4\.\d+', 'ADDRESS', text)) + ')')
    return found


def play(server, state):
    with smtplib.SMTP('127.0.0.1', server.port, local_hostname='client.test', timeout=60) as s:
        for turn in (1, 2):
            for one in CASES:
                if one['count'] >= turn:
                    s.sendmail(one['sender'], [f'x@{one["name"]}.case'], 'Subject: x\n\nHello\n')
            wanted = [one['name'] for one in CASES]
            wait_until(lambda: all(len(outcomes(server.log()).get(one['name'], [])) >= min(turn, one['count']) for one in CASES),
                       lambda: str([name for name in wanted if name not in outcomes(server.log())]), 90)
    result = {}
    for one in CASES:
        logins = [f'{mechanism} {user}' for far in state[one['name']] for mechanism, user in far.logins]
        tries = sum(1 for far in state[one['name']] for command in far.commands if command.startswith('AUTH'))
        result[one['name']] = ' then '.join(outcomes(server.log())[one['name']]) + f'; as {", ".join(logins) or "nobody"}; {tries} AUTH'
    return result


if __name__ == '__main__':
    is_recording, player = reference.player()
    state = {}
    with player(MAIN, master(), {}, lambda folder: begin(folder, state)) as server:
        try:
            got = play(server, state)
        finally:
            state['nsd'].__exit__()
    reference.conclude(RECORDED, got, is_recording, 'logins')
