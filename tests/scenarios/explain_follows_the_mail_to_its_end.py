"""ekiden explain follows accepted mail: rewriting, class, transport, hosts in order, TLS policy and login, aliases and mailboxes. It changes nothing,
speaks to nobody and tells no password."""
import json, os, subprocess
from instance import FarServer, Instance, expect, expect_match, tool

far = FarServer()
MAIN = f'''mydestination = mail.example.test, localhost
canonical_maps = inline:{{ old@example.test=alice@example.test }}
masquerade_domains = example.test
virtual_alias_maps = inline:{{ {{ team@example.test = alice@example.test, bob@example.test }} moved@example.test=x@gone.test }}
alias_maps = texthash:${{config_directory}}/aliases
transport_maps = inline:{{ {{ gone.test = error:5.1.1 nobody here }} relay.test=smtp:[127.0.0.1]:{far.port} slow.test=nosuch: }}
smtp_tls_security_level = may
smtp_tls_policy_maps = inline:{{ {{ [127.0.0.1]:{far.port} = encrypt protocols=>=TLSv1.2 }} }}
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:${{config_directory}}/passwords
smtp_sasl_security_options = noanonymous
smtpd_sender_restrictions = check_sender_access inline:{{ hold@remote.test=HOLD lost@remote.test=DISCARD }}
'''
ZONE = {('far.test', 'MX'): [(20, 'second.far.test'), (10, 'first.far.test')], ('first.far.test', 'A'): ['127.0.0.11'], ('second.far.test', 'A'): ['127.0.0.12']}
FILES = {'aliases': 'crew team@example.test, x@far.test\nsupport "|/bin/false never run"\nloop loop2\nloop2 loop\n',
         'passwords': f'[127.0.0.1]:{far.port} joe:verysecret\n'}

with Instance(main=MAIN, files=FILES, zone=ZONE) as mail:
    def explain(recipient, *words, sender='a@remote.test', want=0, **more):
        p = subprocess.run([tool('ekiden'), 'explain', '-c', mail.config, '--from', sender, '--to', recipient, *words],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, **more)
        text = p.stdout + p.stderr
        expect(p.returncode, want, f'exit status for {recipient}; it said:\n{text}')
        expect('verysecret' in text, False, 'a password in the answer')
        return text

    mail.wait_for_log('daemon started')
    log = mail.log()
    # Rewriting and a mailbox
    text = explain('old@example.test', sender='x@deep.example.test')
    expect_match(r'\A250: delivered to Maildir \S+/vmail/alice/\n  by transport virtual, master\.cf line \d+\n', text, 'the verdict')
    expect_match(r'canonical_maps .*: old@example\.test -> alice@example\.test', text, 'canonical')
    expect_match(r'masquerade_domains: x@deep\.example\.test -> x@example\.test', text, 'masquerading')
    expect_match(r'^Queued: from <x@example\.test>$', text, 'the sender as it is queued')
    expect_match(r'^  class      virtual mailbox  \(virtual_mailbox_domains: example\.test, main\.cf line \d+\)\n  transport  virtual  \(virtual_transport, default\)', text, 'class and transport')
    # An alias of the envelope
    document = json.loads(explain('team@example.test', '--json'))
    expect([r['address'] for r in document['recipients']], ['alice@example.test', 'bob@example.test'], 'the expansion')
    expect([r['original'] for r in document['recipients']], ['team@example.test'] * 2, 'what they stand for')
    # Hosts in order, by MX
    text = explain('x@far.test')
    expect_match(r'\A250: would be handed to first\.far\.test\[127\.0\.0\.11\]:25\n', text, 'the verdict for a far domain')
    expect_match(r'1\. first\.far\.test\[127\.0\.0\.11\]:25 +far\.test\n +TLS may  \(smtp_tls_security_level, main\.cf line \d+\)\n +2\. second\.far\.test\[127\.0\.0\.12\]:25', text, 'the hosts')
    # A relay of its own: the policy's entry, the login without its password
    text = explain('x@relay.test')
    expect_match(rf'transport  smtp  \(transport_maps, main\.cf line \d+\)\n  next hop   \[127\.0\.0\.1\]:{far.port}  \(transport_maps', text, 'the transport table')
    expect_match(rf'TLS encrypt  \(smtp_tls_policy_maps \S.*, key \[127\.0\.0\.1\]:{far.port}\)\n +logs in as joe  \(smtp_sasl_password_maps texthash:\S+, key \[127\.0\.0\.1\]:{far.port}\)',
                 text, 'policy and login')
    # local(8): an alias whose mail is sent on, a command that is not run, a loop
    document = json.loads(explain('crew@localhost', '--json'))
    expect([r['address'] for r in document['recipients']], ['crew@localhost', 'alice@example.test', 'bob@example.test', 'x@far.test'], 'where the list leads')
    expect_match(r'^250: delivered to Maildir \S+/alice/ \(3 recipients after expansion\)$', document['verdict']['text'], 'the verdict for the list')
    expect([r.get('forwarded_from') for r in document['recipients']], [None] + ['local(8)'] * 3, 'who sends it on')
    expect_match(r'runs, as user [\d:]+: \|?\S*bin/false never run', explain('support@localhost'), 'a command')
    expect_match(r'\A250: accepted, then returned to the sender: <loop2@mail\.example\.test>: 5\.4\.6 alias database loop for', explain('loop@localhost', want=1), 'a loop')
    # Who is not root cannot look into other people's homes, and is told so.
    if os.geteuid() == 0:
        text = explain('games@localhost', user='nobody', group='nogroup', extra_groups=[])
        expect_match(r'^ +\S+/\.forward not looked at: only root may\n', text, 'a .forward that cannot be looked at')
        expect_match(r'^note +you are not root', text, 'what is missing')
    # What is accepted and does not arrive
    expect_match(r'\A550 5\.1\.1 <x@gone\.test>: Recipient address rejected: nobody here\n  by smtpd_reject_unlisted_recipient, default', explain('x@gone.test', want=1), 'the error transport')
    expect_match(r'\A250: accepted, then returned to the sender: <x@gone\.test>: 5\.1\.1 nobody here', explain('moved@example.test', want=1), 'the same behind an alias')
    expect_match(r'\A250: accepted, then waiting in the queue: <x@slow\.test>: 4\.3\.0 mail transport unavailable', explain('x@slow.test', want=75), 'a transport that is not there')
    expect_match(r'\A250: accepted, then returned to the sender: <x@nowhere\.test>: 5\.4\.4 Host or domain name not found', explain('x@nowhere.test', want=1), 'a domain that is not there')
    mail.zone.failing.add('trouble.test')
    expect_match(r'\A250: accepted, then waiting in the queue: <x@trouble\.test>: 4\.4\.3 ', explain('x@trouble.test', want=75), 'a DNS that fails')
    expect_match(r'\A250: accepted, and kept on hold', explain('alice@example.test', sender='hold@remote.test'), 'HOLD')
    expect_match(r'\A250: accepted and thrown away', explain('alice@example.test', sender='lost@remote.test'), 'DISCARD')
    # A message of one's own meets the content rules.
    mail.set('header_checks = regexp:{ {/^Subject: bad/ REJECT bad subject} }\n')
    path = mail.write('message', 'From: a@remote.test\nSubject: bad news\n\n.\nHello\n')
    expect_match(r'\A550 5\.7\.1 bad subject\n  by header_checks regexp:.* \(Subject: bad news: REJECT bad subject\), main\.cf line \d+\n', explain('alice@example.test', '--message', path, want=1), 'header_checks')

    expect(far.connections, 0, 'connections to a server')
    expect(mail.log(), log, 'lines in the log')
    expect(mail.entries(), [], 'messages in the queue')
    expect([name for _, _, names in os.walk(mail.vmail) for name in names], [], 'files in mailboxes')
    expect(os.path.exists(os.path.join(mail.vmail, 'alice')), False, 'a mailbox that was made')
    # The setting that says so, old ones too
    mail.set('smtp_tls_security_level =\nsmtp_use_tls = yes\n')
    expect_match(r'TLS may  \(smtp_use_tls, main\.cf line \d+\)', explain('x@far.test'), 'the old setting')
