#!/usr/bin/env python3
"""Where addresses go and what they become, compared with what Postfix 3.7.11 made of them: classes, transports, aliases,
canonical tables, extensions, bcc copies, masquerading.

  tests/compat/rewriting.py [--record] [PATTERN]

tests/compat/rewriting.txt has for each configuration and address the refusal, or each recipient with transport, sender, next
hop, user and extension. --record runs Debian's Postfix instead, in private name spaces, and writes that file (root, and apt for
the package).
"""
import fnmatch, os, re, socket, sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
import reference
from instance import overridden, skip, wait_until

RECORDED = os.path.join(ROOT, 'tests', 'compat', 'rewriting.txt')
# Where Ekiden differs on purpose (docs/golden-differences.md): configuration, address, its outcome.
OWN = [
    (r'transports-fail a@va\.test', r'RCPT 451 4\.3\.0 <a@va\.test>: Temporary lookup failure'),
    (r'owners (owner-list|list-request)@golden\.test', r'.* via capS \(sender=sender@golden\.test nexthop=star user=(owner-list|list-request) ext=\)'),
]

TRANSPORTS = ('capL', 'capV', 'capR', 'capD', 'capT', 'capS')
MASTER = ''.join(f'''{name} unix - n n - 1 pipe
  user=nobody null_sender=NULL argv=/bin/echo sender=${{{{sender}}}} nexthop=${{{{nexthop}}}} user=${{{{user}}}} ext=${{{{extension}}}}
''' for name in TRANSPORTS)
MAIN = '''\
myhostname = mail.golden.test
mydomain = golden.test
myorigin = $myhostname
mydestination = $myhostname, localhost.$mydomain, localhost, $mydomain
mynetworks = 127.0.0.0/8
relayhost =
local_transport = capL
virtual_transport = capV
relay_transport = capR
default_transport = capD
local_recipient_maps =
relay_domains = relay.test
virtual_mailbox_domains = vm.test
virtual_mailbox_maps =
virtual_alias_domains = va.test
smtpd_relay_restrictions = check_client_access static:OK, reject
smtpd_recipient_restrictions = permit
notify_classes =
''' + ''.join(f'{name}_destination_recipient_limit = 1\n' for name in TRANSPORTS)

ADDRESSES = [
    'user1', 'user1@golden.test', 'USER1@Golden.Test', 'a@remote.test', 'a+x@remote.test', 'x@sub', '@golden.test', 'user1%remote.test',
    'user1%remote.test@golden.test', 'a!b', 'h!u@golden.test', 'h1!h2!u', 'a%b@remote.test', '"a b"@remote.test', '"a@b"@golden.test', '"a@b"',
    'x@relay.test', 'x@vm.test', 'x@va.test', 'x@sub.relay.test', 'x@[127.0.0.1]', 'x@[127.0.0.25]', 'x@1.2.3.4', 'x@127.0.0.1', '-x@golden.test',
    '@remote.test:user1@golden.test', 'x@[300.1.1.1]', 'postmaster', 'owner-list+x@golden.test', '"user1"@golden.test', '""@golden.test', 'a b@golden.test']
CANONICAL = ('{ {user1@golden.test=First.Last@golden.test} {bob=bobby@new.test} {@wild.test=one@golden.test} {@moved.test=@new.test} '
             '{chain1@golden.test=chain2@golden.test} {chain2@golden.test=chain3@golden.test} {self@golden.test=self@golden.test} '
             '{dog@golden.test="dog house"@golden.test} {multi@golden.test=a@x.test, b@x.test} }')
ALIASES = ('{ {one@va.test=user1@golden.test} {two@va.test=user1@golden.test, user2} {@va.test=catch@golden.test} {ext@va.test=target@golden.test} '
           '{@d.va.test=@golden.test} {user1=u1@remote.test} {self@golden.test=self@golden.test, copy@remote.test} {loop1@golden.test=loop2@golden.test} '
           '{loop2@golden.test=loop1@golden.test} {dup@va.test=a@remote.test, A@remote.test, a@remote.test} {nest1@va.test=nest2@va.test, n1@remote.test} '
           '{nest2@va.test=n2@remote.test, n3@remote.test} {grp@va.test=Full Name <fn@remote.test> (com), other@remote.test} {list+special@va.test=sp@remote.test} '
           '{quoted@va.test="a b"@remote.test, "c,d"@remote.test} {empty@va.test=,} }')
ALIASED = ['one@va.test', 'two@va.test', 'nobody@va.test', 'x+e@va.test', 'ext+foo@va.test', 'any+e@d.va.test', 'user1', 'user1+z@golden.test', 'user1@remote.test',
           'self@golden.test', 'self+x@golden.test', 'loop1@golden.test', 'dup@va.test', 'nest1@va.test', 'grp@va.test', 'list+special@va.test', 'list+Special@va.test',
           'quoted@va.test', 'empty@va.test', 'ONE@VA.TEST', 'two@va.test one@va.test user2@golden.test']
CHAIN = '{ ' + ' '.join(f'{{l{i}@va.test=l{i + 1}@va.test}}' for i in range(1, 13)) + ' {l13@va.test=end@remote.test} {big@va.test=' + ', '.join(
    f'b{i}@remote.test' for i in range(12)) + '} {long@va.test=' + 'x' * 60 + '@remote.test} }'
EXTENDED = ['user+a@golden.test', 'user+b@golden.test', 'user-b@golden.test', 'user-a+b@golden.test', 'owner-list@golden.test', 'list-request@golden.test', 'x@a.b.remote.test',
            'q@remote.test', 'x@remote.test', 'y@remote.test', 'z@remote.test', 'n@other.test', 'gone@golden.test', 'gone+e@golden.test', 'any@gone.test', 'GONE@remote.test',
            'al+q@golden.test', 'al-q@golden.test', '+x@golden.test', 'user+@golden.test']
TABLES = '''transport_maps = inline:{{ {{user@golden.test=capT:plain}} {{user+a@golden.test=capT:exact}} {{.remote.test=capT:sub}} {{remote.test=capT:dom}} {{x@remote.test=capT:}} {{y@remote.test=:nh}} {{z@remote.test=capT}} {{*=capS:star}} }}
relocated_maps = inline:{{ {{gone@golden.test=new@remote.test}} {{@gone.test=elsewhere}} {{gone@remote.test=away}} }}
virtual_alias_maps = inline:{{ {{al@golden.test=user@golden.test}} }}
'''
ROUTED = ['a@x.dom.test', 'a@dom.test', 'a@[1.2.3.4]', 'user1@golden.test', 'a@relay.test', 'a@s.relay.test', 'b@vm.test', 'a@va.test', 'a@dom.test from=', 'a@dom.test from=other@golden.test']


def doubled(text):
    return text.replace('{', '{{').replace('}', '}}')


def inline(name, table):
    return f'{name} = inline:{doubled(table)}\n'


CONFIGURATIONS = {
    'defaults': ('', ADDRESSES),
    'old-settings': ('swap_bangpath = no\nallow_percent_hack = no\nappend_dot_mydomain = yes\nrecipient_delimiter = +-\nallow_min_user = yes\nresolve_numeric_domain = yes\n', ADDRESSES),
    'origin': ('append_dot_mydomain = yes\nmyorigin = origin.test\nresolve_dequoted_address = no\nallow_untrusted_routing = yes\n', ADDRESSES),
    'canonical': (inline('canonical_maps', CANONICAL) + 'recipient_delimiter = +\n',
                  ['user1@golden.test', 'bob', 'bob+ext', 'bob@remote.test', 'b+c@moved.test', 'dog+e@golden.test', 'chain1@golden.test', 'self@golden.test', 'multi@golden.test',
                   'any+thing@wild.test', 'x@remote.test from=bob@golden.test']),
    'sender-canonical': (inline('sender_canonical_maps', CANONICAL), ['user1@golden.test from=user1@golden.test', 'bob from=bob', 'bob from=x@moved.test', 'bob from=']),
    'no-propagation': (inline('recipient_canonical_maps', CANONICAL) + 'recipient_delimiter = +\npropagate_unmatched_extensions =\n', ['bob+ext', 'dog+e@golden.test', 'b+c@moved.test']),
    'masquerade': ('masquerade_domains = !keep.golden.test, golden.test\nmasquerade_exceptions = inline:{{root=x}}, daemon\n',
                   [f'u@remote.test from={s}' for s in ('x@a.golden.test', 'root@a.golden.test', 'Daemon@b.golden.test', 'z@keep.golden.test', 'q@sub.keep.golden.test', 'y@golden.test')]),
    'masquerade-all': ('masquerade_domains = b.c.golden.test golden.test\nmasquerade_classes = envelope_sender, envelope_recipient\n',
                       ['y@a.golden.test from=x@b.c.golden.test', 'z@d.b.c.golden.test from=x@e.c.golden.test']),
    'aliases': (inline('virtual_alias_maps', ALIASES) + 'virtual_alias_domains = va.test d.va.test\nrecipient_delimiter = +\n', ALIASED),
    'aliases-plain': (inline('virtual_alias_maps', ALIASES) + 'virtual_alias_domains = va.test d.va.test\nrecipient_delimiter = +-\npropagate_unmatched_extensions =\n'
                      'enable_original_recipient = no\n', ALIASED),
    'alias-depth': (inline('virtual_alias_maps', CHAIN) + 'virtual_alias_recursion_limit = 10\n', ['l1@va.test', 'l3@va.test', 'l4@va.test', 'l5@va.test', 'big@va.test']),
    'alias-size': (inline('virtual_alias_maps', CHAIN) + 'virtual_alias_expansion_limit = 11\nvirtual_alias_address_length_limit = 40\n', ['l1@va.test', 'big@va.test', 'long@va.test']),
    'delimiters': (TABLES + 'recipient_delimiter = +-\n', EXTENDED),
    'minus': (TABLES + 'recipient_delimiter = -\n', EXTENDED),
    'owners': (TABLES + 'recipient_delimiter = -\nowner_request_special = no\n', EXTENDED),
    'transports': ('transport_maps = inline:{{ {{dom.test=capT:one}} {{[1.2.3.4]=capT:lit}} {{golden.test=capT:g}} }}\n', ROUTED),
    'transports-sub': ('parent_domain_matches_subdomains =\nrelay_domains = .relay.test\ntransport_maps = inline:{{ {{.dom.test=capT:sub}} }}\n', ROUTED),
    'transports-pattern': ('transport_maps = regexp:{{{{/dom\\.test$$/ capT:re}} {{/^relay/ capT:never}}}}\n', ROUTED),
    'transports-fail': ('transport_maps = fail:x\n', ROUTED),
    'relayhost': ('relayhost = [rh.test]:26\n', ROUTED),
    'sender-relayhost': ('relayhost = rh.test\nsender_dependent_relayhost_maps = inline:{{ {{@golden.test=[sd.test]}} {{sender@golden.test=DUNNO}} }}\n', ROUTED),
    'sender-transport': ('sender_dependent_default_transport_maps = inline:{{ {{@golden.test=capS:[sd.test]}} {{sender@golden.test=DUNNO}} }}\n', ROUTED),
    'next-hops': ('relay_transport = capR:[rt.test]\ndefault_transport = capD:[dt.test]\nlocal_transport = capL:[lt.test]\nvirtual_transport = capV:[vt.test]\n', ROUTED),
    'bcc': ('always_bcc = arch\nsender_bcc_maps = inline:{{ {{sender@golden.test=arch@golden.test}} }}\nvirtual_alias_maps = inline:{{ {{arch@golden.test=real@remote.test}} '
            '{{user1@golden.test=u@remote.test}} }}\nrecipient_bcc_maps = inline:{{ {{u@remote.test=afteralias@golden.test}} {{user1@golden.test=before@golden.test}} }}\n',
            ['user1@golden.test', 'x@remote.test', 'user1@golden.test x@remote.test', 'user1@golden.test from=']),
    'bcc-maps': ('sender_bcc_maps = inline:{{ {{sender@golden.test=sb@remote.test}} {{@golden.test=sd@remote.test}} }}\nrecipient_delimiter = +\nrecipient_bcc_maps = inline:{{ '
                 '{{user1@golden.test=rb@remote.test}} {{@remote.test=rd+x@golden.test}} {{user3=u3@remote.test}} }}\n',
                 ['user1@golden.test', 'user1+e@golden.test', 'x+y@remote.test', 'user3', 'user1@golden.test from=other@golden.test']),
    'bcc-fail': ('recipient_bcc_maps = fail:x\n', ['user1@golden.test']),
}


def say_all(port, case):
    """the refusal, or the queue id"""
    words = case.split(' from=')
    recipients = [words[0]] if '"' in words[0] or words[0] == 'a b@golden.test' else words[0].split(' ')
    sender = words[1] if len(words) > 1 else 'sender@golden.test'
    with socket.create_connection(('127.0.0.1', port), 30) as s, s.makefile('rb') as f:
        def ask(line):
            if line:
                s.sendall(line.encode() + b'\r\n')
            while (reply := f.readline().decode(errors='replace').rstrip('\r\n'))[3:4] == '-':
                pass
            return reply
        ask('')
        ask('EHLO client.test')
        for line in (f'MAIL FROM:<{sender}>', *(f'RCPT TO:<{r}>' for r in recipients), 'DATA', 'Subject: x\r\n\r\nx\r\n.'):
            reply = ask(line)
            if reply[0] not in '23':
                return f'{line[:4] if line[:4].isalpha() and line[:4].isupper() else "dot"} {reply}'
        return re.search(r'queued as (\w+)', reply)


def outcome_of(log, queue_id):
    """nothing while the message is there"""
    if not re.search(rf'qmgr\[\d+\]: {queue_id}: removed', log):
        return None
    found = set()
    for to, original, relay, status, text in re.findall(rf': {queue_id}: to=<(.*?)>, (?:orig_to=<(.*?)>, )?relay=(\S+), .*status=(\w+) \((.*)\)', log):
        text = re.sub(r'nexthop=\S+', lambda hop: hop.group().lower(), re.sub(r'^delivered via \w+ service ', '', text))
        found.add(f'{to}{f" for {original}" if original else ""} via {relay} {text if status == "sent" else status + " " + text}')
    return ' / '.join(sorted(found))


def run(system, pattern):
    outcomes = {}
    for name, (settings, cases) in CONFIGURATIONS.items():
        wanted = [case for case in cases if fnmatch.fnmatch(f'{name} {case}', pattern)]
        if not wanted:
            continue
        with system(overridden(MAIN, settings), MASTER, {}) as server:
            said = {case: say_all(server.port, case) for case in wanted}
            for case, answer in said.items():
                key = f'{name} {case}'
                if isinstance(answer, str):
                    outcomes[key] = answer
                else:
                    outcomes[key] = wait_until(lambda: outcome_of(server.log(), answer.group(1)), lambda: f'the end of {key}:\n' + server.log()[-2000:])
    return outcomes


def read_record():
    with open(RECORDED) as f:
        rows = [line.rstrip('\n') for line in f if not line.startswith('#') and line.strip()]
    return {name: outcome.strip() for name, outcome in zip(rows[::2], rows[1::2])}


def is_right(name, got, recorded):
    own = [outcome for pattern, outcome in OWN if re.fullmatch(pattern, name)]
    return re.fullmatch(own[0], got) is not None if own else got == recorded.get(name)


def main():
    if os.geteuid() != 0:
        skip('needs root: commands run as another user')
    is_recording, player, pattern = reference.player_of_some()
    outcomes = run(player, '*' if is_recording else pattern)
    if is_recording:
        with open(RECORDED, 'w') as out:
            out.write('# Configuration and address, and what Postfix 3.7.11 did; written by rewriting.py --record.\n')
            out.write(''.join(f'{name}\n    {outcome}\n' for name, outcome in outcomes.items()))
        return 0
    recorded = read_record()
    wrong = [f'{name}\n  want {recorded.get(name)}\n  got  {got}' for name, got in outcomes.items() if not is_right(name, got, recorded)]
    print('\n'.join(wrong))
    print(f'{len(outcomes)} outcomes, {len(wrong)} of them wrong')
    return 1 if wrong or not outcomes else 0


if __name__ == '__main__':
    sys.exit(main())
