#!/usr/bin/env python3
"""The users' own notes, block by block in their order, on a machine of its own; and docs/users-notes.md, made of what was seen.

The blocks are read from the notes themselves (../shared/seeds) and not repeated here, with addresses and names filled in where the
notes leave a gap. Rows of ../shared/seed-matrix.md that have a capture are proven by replaying it (the golden cases); this program
plays the notes and looks for what the other rows want seen.

  users_notes.py                     play, and fail when something was not seen or the page lacks a row
  users_notes.py --page GOLDEN_RUN   play, and write the page; GOLDEN_RUN: the folder of the last golden run (build/golden)
"""
import base64, glob, json, os, re, smtplib, ssl, subprocess, sys, tempfile

from instance import ROOT, Failed, expect, expect_match, skip, wait_until
from own_site import Site
from smtp_relay import Relay

SHARED = os.environ.get('EKIDEN_SHARED') or os.path.join(ROOT, '..', 'shared')
PAGE = os.path.join(ROOT, 'docs', 'users-notes.md')
HOST, DOMAIN, OWN, OUTSIDE, RELAY = 'hoge.itniti.net', 'itniti.net', '192.168.0.10', '203.0.113.9', '192.168.0.25'
# What the file of every distribution says already.
LOG = 'compatibility_level = 3.6\nmaillog_file = /var/log/mail.log\n'
seen = {}      # row of the matrix → what was seen


def note(document, first, last):
    """lines of a document of notes"""
    with open(sorted(glob.glob(os.path.join(SHARED, 'seeds', '*.txt')))['AB'.index(document)], encoding='utf-8') as f:
        return ''.join(f.readlines()[first - 1:last])


def filled(text, **gaps):
    for gap, value in {'<yerel_ag>': '192.168.0.0', '<ip>': RELAY, '<relay_ip>': RELAY, '<hostname_veya_domain>': HOST, '<kullanici_adi>': 'test', '<parola>': 'testpass',
                       **{f'<{k}>': v for k, v in gaps.items()}}.items():
        text = text.replace(gap, value)
    return text


def pasted(text):
    """a block whose lines all begin with a TAB, pasted without it; lines that go on with the one above keep theirs"""
    return re.sub(r'^\t(?=[^\s\u3000])', '', text, flags=re.M)


def typed(text):
    """commands as they are typed: without the prompt"""
    return re.sub(r'^\s*(?:[$#%>] )?(?:sudo )?', '', text.strip())


def row(*ids):
    """the checks of these rows"""
    def decorate(play):
        plays.append((ids, play))
        return play
    return decorate


plays = []
BASE = LOG + f'myhostname = {HOST}\nhome_mailbox = Maildir/\ninet_interfaces = 127.0.0.1, {OWN}\ninet_protocols = ipv4\n'


# ---- the first document

@row('S-004')
def queue_commands(m):
    m.configure(BASE + f'relayhost = [{RELAY}]:26\n')      # nobody listens there
    expect_match('^Mail queue is empty', m.sh(note('A', 6, 6)).stdout, 'postqueue -p')
    expect(m.sh('postconf -h queue_directory').stdout, '/var/spool/postfix\n', 'queue_directory')
    folders = ('active', 'bounce', 'corrupt', 'defer', 'deferred', 'flush', 'hold', 'incoming', 'maildrop', 'pid', 'private', 'public', 'saved', 'trace')
    missing = [f for f in folders if not os.path.isdir(f'/var/spool/postfix/{f}')]
    expect(missing, [], 'folders of the queue that are missing')
    m.sh('sendmail -f user1 someone@far.test', input='Subject: x\n\ntext\n')
    entry = wait_until(lambda: [json.loads(line) for line in m.sh('postqueue -j').stdout.splitlines() if 'deferred' in line], 'a deferred message')[0]
    text = m.sh(note('A', 19, 19).strip().replace('<queue_id>', entry['queue_id']).replace('less', 'cat')).stdout
    expect([text.find(s) >= 0 for s in ('*** ENVELOPE RECORDS', '*** MESSAGE CONTENTS', '*** HEADER EXTRACTED', '*** MESSAGE FILE END')], [True] * 4, 'sections of postcat')
    m.sh(note('A', 12, 12).split(' : ')[0])
    expect_match('Deleted: 1 message', m.sh(note('A', 14, 14)).stderr, 'postsuper -d ALL')
    return 'the folders of the queue, and `postqueue -p`, `postcat -vq`, `postqueue -f`, `postsuper -d ALL` one after the other'


@row('S-020')
def relay_block_with_its_mistake(m):
    said = m.configure(LOG + filled(note('A', 32, 41)))
    expect(said.returncode, 1, 'postfix start')
    expect_match(r"main\.cf, line \d+: missing '=' after attribute name: \"relayhost", said.said, 'the fault')
    return 'the block as it is: no start, the line is named'


@row('S-021', 'S-022')
def login_at_the_relay(m):
    with Relay(RELAY, 25, {'test': 'testpass', 'other': 'otherpass'}) as relay:
        return login_at(m, relay)


def login_at(m, relay):
    m.sh('rm -f /etc/postfix/sasl_passwd*; umask 077; : > /etc/postfix/sasl_passwd')
    said = m.configure(BASE + filled(note('A', 32, 40)).replace('inet_interfaces = localhost\n', '') + f'relayhost = {RELAY}:25\n')
    expect(said.returncode, 0, said.said)
    m.sh('\n'.join(typed(filled(line)) for line in note('A', 60, 61).splitlines()))
    expect(os.stat('/etc/postfix/sasl_passwd.db').st_mode & 0o777, 0o600, 'the mode of the table')
    m.sh('sendmail -f user1 a@far.test', input='Subject: one\n\ntext\n')
    expect(relay.wait_for(1)[0].user, 'test', 'the login')
    # A changed table is seen without a reload.
    m.sh('echo "192.168.0.25:25 other:otherpass" > /etc/postfix/sasl_passwd; postmap hash:/etc/postfix/sasl_passwd')

    def sent_as_other():
        # A connection that is kept from the last message has its login already.
        count = len(relay.messages)
        m.sh('sendmail -f user1 b@far.test', input='Subject: two\n\ntext\n')
        return relay.wait_for(count + 1)[-1].user == 'other'

    wait_until(sent_as_other, 'the login after the change')
    return '`postmap`: silent, mode 0600 as its source; the login is used, and a changed one without a reload'


@row('S-030', 'S-033')
def everything_through_a_transport(m):
    asked = len(m.zone.asked)
    m.write('/etc/postfix/transport', filled(note('A', 77, 77)))
    expect(m.sh(note('A', 84, 84)).said, '', 'postmap')
    m.configure(BASE + filled(note('A', 80, 82)))
    with Relay(RELAY, 25) as relay:
        m.sh(f'sendmail -f user1 user2@{HOST} x@far.test', input='Subject: all\n\ntext\n')
        expect(sorted(len(message.recipients) for message in relay.wait_for(1)), [2], 'recipients at the relay; log: ' + m.log())
    expect([q for q in m.zone.asked[asked:] if 'far.test' in q[0] or q[1] == 'MX'], [], 'questions about the destination')
    return 'mail for the own domain leaves too, and nothing is asked of the name server'


def with_login(m, **more):
    m.sh('rm -f /etc/sasldb2')
    m.sh(filled(note('A', 121, 121)).strip() + ' -p', input='testpass')
    m.sh('chown postfix: /etc/sasldb2 -R; chmod 660 /etc/sasldb2')
    # What the block calls its dead lists must not need a network; what is asked is answered: no such name.
    return m.configure(BASE + filled(note('A', 93, 105)), filled(note('A', 108, 116)), **more)


def ehlo(m, **where):
    with m.dialogue(**where) as client:
        return client.say('EHLO client.test')


def logged_in(m, user, password, **where):
    with m.dialogue(**where) as client:
        client.say('EHLO client.test')
        return client.say('AUTH PLAIN ' + base64.b64encode(f'\0{user}\0{password}'.encode()).decode())


@row('S-035', 'S-052')
def logins(m):
    said = with_login(m)
    expect(said.returncode, 0, said.said)
    expect_match('smtpd_sasl_path', said.said + m.log(), 'a hint at the path that looks like a file')
    expect_match('^250.AUTH .*CRAM-MD5', ehlo(m), 'mechanisms')
    expect_match('^235', logged_in(m, 'test', 'testpass'), 'PLAIN')
    with m.dialogue(source=OUTSIDE, host=OWN) as client:
        client.say('EHLO client.test')
        client.say('AUTH PLAIN ' + base64.b64encode(b'\0test\0testpass').decode())
        client.say('MAIL FROM:<user1@itniti.net>')
        expect_match('^250', client.say(f'RCPT TO:<user2@{HOST}>'), 'a recipient')
        client.say('DATA')
        client.say('Subject: x\r\n\r\ntext\r\n.')
    m.wait_for_log(rf'sasl_method=PLAIN, sasl_username=test@{HOST}')
    return 'starts, hints that the path looks like a file name; all mechanisms are offered, the realm is the given one'


@row('S-054', 'S-055')
def submission_of_the_first_document(m):
    with m.dialogue(source=OUTSIDE, host=OWN, port=587) as client:
        reply = client.say('EHLO client.test')
        if re.search('AUTH[ =].*(PLAIN|LOGIN)', reply):
            raise Failed(f'clear text mechanisms without TLS: {reply}')
        client.say('MAIL FROM:<a@remote.test>')
        expect_match('^250', client.say(f'RCPT TO:<user2@{HOST}>'), 'the own domain')
        expect_match('^554 5.7.1 .*Relay access denied', client.say('RCPT TO:<x@far.test>'), 'a foreign domain')
    folder = tempfile.mkdtemp()
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', f'/CN={HOST}', '-keyout', f'{folder}/key',
                    '-out', f'{folder}/cert'], check=True, capture_output=True)
    m.sh(f'cat {folder}/key {folder}/cert > /etc/postfix/chain.pem; chmod 600 /etc/postfix/chain.pem; rm -r {folder}')
    m.sh('postconf -e smtpd_tls_security_level=may smtpd_tls_chain_files=/etc/postfix/chain.pem; postfix stop; postfix start')
    with smtplib.SMTP(OWN, 587, local_hostname='client.test', timeout=20) as client:
        client.starttls(context=ssl._create_unverified_context())
        client.ehlo()
        expect_match('PLAIN', client.esmtp_features.get('auth', ''), 'mechanisms under TLS')
    return 'without TLS no PLAIN or LOGIN, own domain taken, foreign `554 5.7.1`; under TLS PLAIN and LOGIN'


@row('S-057', 'S-059', 'S-058')
def rights(m):
    with_login(m)
    m.sh('chown root:root /etc/sasldb2; chmod 600 /etc/sasldb2')
    expect_match('^454 4.7.0 Temporary authentication failure: generic failure', logged_in(m, 'test', 'testpass'), 'a database that cannot be read')
    m.wait_for_log(r'warning: .*unable to open Berkeley db /etc/sasldb2: Permission denied')
    m.sh(note('A', 139, 139) + note('A', 141, 141))
    expect_match('^235', logged_in(m, 'test', 'testpass'), 'after chown and chmod')
    m.sh(note('A', 140, 140))
    m.sh('postfix check', check=False)
    for name in ('main', 'master'):
        m.wait_for_log(rf'warning: not owned by root: /etc/postfix/(\./)?{name}\.cf')
    expect(m.sh(note('A', 147, 147)).returncode, 0, 'the restart')
    m.sh('chown root: /etc/postfix -R')
    return '`454 4.7.0` while it cannot be read, `235` after the chown; a warning for each file that is not root\'s, and it runs'


@row('S-060')
def python_client(m):
    with_login(m)
    program = filled(note('A', 154, 159), sunucu_adresi=OWN, port_no='25', kimden_kisminda_gorulen_adres='user1@itniti.net', gonderilecek_adres=f'user2@{HOST}')
    program = program.replace('"kullanici_adi", "parola"', '"test", "testpass"')
    m.sh(f"{sys.executable} - <<'END'\n{program}\nEND\n")
    expect_match('^Hello!', m.wait_for_mail('user2')[-1].split('\n\n', 1)[1], 'the message')
    return 'the program as it is; the message is in the Maildir'


# ---- the second document

@row('S-065', 'S-067', 'S-071', 'S-072')
def first_block_of_the_second_document(m):
    said = m.configure(pasted(note('B', 4, 46)) + LOG)
    expect(said.returncode, 0, said.said)
    expect(m.sh('postconf -hx mydomain myorigin').stdout, f'{DOMAIN}\n{HOST}\n', 'mydomain, myorigin')
    names = m.sh('postconf -n').stdout
    expect_match('^mynetworks = 192.168.0.0/24, 127.0.0.0/8$', names, 'mynetworks')
    expect(re.findall('[^\x00-\x7f]', names), [], 'comments in postconf -n')
    with m.dialogue(source='192.168.0.77', host=OWN) as client:
        expect(client.greeting, f'220 {HOST} ESMTP unknown', 'the banner')
        client.say('EHLO x')
        client.say('MAIL FROM:<a@remote.test>')
        expect_match('^250', client.say('RCPT TO:<x@far.test>'), 'relaying for the network')
    with m.dialogue(source=OUTSIDE, host=OWN) as client:
        client.say('EHLO x')
        client.say('MAIL FROM:<a@remote.test>')
        expect_match('^[45]54 5?4?.7.1 .*Relay access denied', client.say('RCPT TO:<x@far.test>'), 'relaying from outside')
        expect_match('^250', client.say(f'RCPT TO:<x@sub.{DOMAIN}>'), 'a sub-domain of the own domain')
    return 'the block without its TABs: Japanese comments do nothing, the network relays, outsiders do not, sub-domains are relay domains'


@row('S-077')
def comment_behind_myhostname(m):
    said = m.configure(LOG + pasted(note('B', 50, 51)))
    expect(said.returncode, 1, 'postfix start')
    expect_match(r'fatal: .*parameter myhostname: bad parameter value', said.said, 'the fault')
    return 'no start: the value is named'


@row('S-078')
def comment_behind_myorigin(m):
    said = m.configure(BASE + f'mydomain = {DOMAIN}\n' + pasted(note('B', 52, 52)))
    codes = said.returncode, m.sh('sendmail a', check=False, input='x\n').returncode, m.sh('postqueue -p', check=False).returncode
    expect(codes, (1, 75, 69), f'exit codes of postfix, sendmail and postqueue: {said.said}')
    expect_match('myorigin parameter setting must not contain multiple values', said.said, 'the text')
    return 'exit codes 1, 75 and 69, with the text'


@row('S-080', 'S-082')
def comments_in_lists(m):
    said = m.configure(BASE + f'mydomain = {DOMAIN}\nlocal_recipient_maps =\n' + pasted(note('B', 54, 56)) + pasted(note('B', 58, 58)))
    expect(said.returncode, 0, said.said)
    with m.dialogue(source=OUTSIDE, host=OWN) as client:
        client.say('EHLO x')
        client.say('MAIL FROM:<a@remote.test>')
        expect_match('^250', client.say(f'RCPT TO:<a@{HOST}>'), 'before the comment')
        for address in (f'a@{DOMAIN}', 'a@localhost'):
            expect_match('^[45]54 .*Relay access denied', client.say(f'RCPT TO:<{address}>'), 'behind the comment')
    with m.dialogue(source='192.168.0.77', host=OWN) as client:
        client.say('EHLO x')
        client.say('MAIL FROM:<a@remote.test>')
        expect_match('^250', client.say('RCPT TO:<x@far.test>'), 'a network before the comment')
    for name in ('mydestination', 'mynetworks'):
        expect_match(f'{name}.*comment', said.said + m.log(), f'the warning about {name}')
    return 'names and networks before the comment count, those behind it do not; a warning for each'


@row('S-083')
def comment_behind_alias_maps(m):
    said = m.configure(BASE + pasted(note('B', 59, 59)))
    expect(said.returncode, 1, 'postfix start')
    expect_match('open dictionary: expecting "type:name" form instead of "#"', said.said, 'the text')
    return 'with its comment no start: the word that is no table is named'


@row('S-097')
def full_width_space_in_security_options(m):
    said = m.configure(BASE + pasted(note('B', 91, 95)))
    expect(said.returncode, 1, 'postfix start')
    expect_match('smtpd_sasl_security_options', said.said, 'the parameter')
    return 'no start: the option that does not exist is named (Postfix starts, and gives no client a banner)'


@row('S-100', 'S-101', 'S-103')
def lists_that_are_wrong_or_dead(m):
    half = pasted(note('B', 96, 102)).replace('\u3000', ' ').replace('reject_unknown_client,', '')
    said = m.configure(BASE + half)
    expect(said.returncode, 0, said.said)
    with m.dialogue(source=OUTSIDE, host=OWN) as client:
        client.say('EHLO x')
        client.say('MAIL FROM:<a@remote.test>')
        expect_match('^250', client.say(f'RCPT TO:<user1@{HOST}>'), 'a client that no list names')
    asked = {q[0] for q in m.zone.asked}
    for zone in ('spamcop.net', 'dynablock.wirehub.net'):
        expect(f'9.113.0.203.{zone}' in asked, True, f'a question to {zone}')
    return 'asked, not listed, passed; `permit` at the end changes nothing'


@row('S-105', 'S-116')
def lists_without_commas(m):
    with_login(m)
    said = m.configure(BASE + f'smtpd_sasl_local_domain = {HOST}\nsmtpd_sender_login_maps = inline:{{ user1@{DOMAIN}=test@{HOST} }}\n'
                       + note('B', 179, 184) + pasted(note('B', 111, 112)))
    expect(said.returncode, 0, said.said)
    for login, sender, reply in (('', 'user1', '^454 4.7.1 .*Relay access denied'), ('test', 'user1', '^250'), ('test', 'user2', '^553 5.7.1 .*not owned by user')):
        with m.dialogue(source=OUTSIDE, host=OWN) as client:
            client.say('EHLO client.test')
            if login:
                expect_match('^235', client.say('AUTH PLAIN ' + base64.b64encode(f'\0{login}\0testpass'.encode()).decode()), 'the login')
            client.say(f'MAIL FROM:<{sender}@{DOMAIN}>')
            expect_match(reply, client.say('RCPT TO:<x@far.test>'), f'{sender} with login "{login}"')
    return 'both lists as they are: who has logged in relays, with no address of others; who has not is refused, but only as a relay'


@row('S-110', 'S-111')
def mailrc(m):
    if not os.path.exists('/usr/bin/s-nail'):
        return None
    with_login(m)
    settings = typed(pasted(note('B', 149, 149))).replace('mailsvr-01.local:25', f'{OWN}:25') + '\n' + pasted(note('B', 150, 152)).replace('xxxxx', 'testpass').replace('xxxx', f'test@{HOST}')
    m.write('/root/.mailrc.notes', 'set sendwait\nset hostname=hoge.itniti.net\nset from=user1@itniti.net\n' + settings.replace('user=testpass', f'user=test@{HOST}'))
    m.write('/root/mail.txt', 'from the file\n')
    line = typed(pasted(note('B', 155, 155))).replace('mail -s', 's-nail -s').replace('svruser01@mailsvr-01.local', f'user1@{HOST}')
    said = m.sh('MAILRC=/root/.mailrc.notes ' + line, check=False)
    os.unlink('/root/.mailrc.notes')
    os.unlink('/root/mail.txt')
    expect(said.returncode, 0, said.said)
    expect_match('^Subject: Mail Test$', m.wait_for_mail('user1')[-1], 'the message')
    m.wait_for_log('sasl_method=LOGIN')
    return 'the `.mailrc` as it is: AUTH LOGIN, and the message arrives with its subject'


@row('S-117')
def restart_keeps_the_queue(m):
    m.configure(BASE + f'relayhost = [{RELAY}]:26\n')
    m.sh('sendmail -f user1 someone@far.test', input='Subject: x\n\ntext\n')
    wait_until(lambda: 'someone@far.test' in m.sh('mailq').stdout, 'the message in the queue')
    before = open('/var/spool/postfix/pid/master.pid').read()
    m.sh(typed(note('B', 202, 202)))
    expect(open('/var/spool/postfix/pid/master.pid').read() != before, True, 'a new process')
    expect_match('someone@far.test', m.sh('mailq').stdout, 'the queue')
    m.sh('postsuper -d ALL')
    return 'with the init script (there is no systemd in a name space): a new process, and the queue is kept'


@row('S-126')
def remark_in_a_list(m):
    said = m.configure(BASE + note('B', 258, 260))
    with m.dialogue(source=OUTSIDE, host=OWN) as client:
        client.say('EHLO x')
        client.say('MAIL FROM:<a@remote.test>')
        expect_match('^451 4.3.5 ', client.say(f'RCPT TO:<user1@{HOST}>'), 'the reply')
    expect_match('※SMTP認証を行ったクライアントは許可', said.said + m.log(), 'the word in the warning')
    return '`451 4.3.5` for outsiders, the word is named at the start and in the log'


@row('S-137')
def only_ipv4(m):
    m.configure(LOG + f'myhostname = {HOST}\ninet_interfaces = all\n' + note('B', 323, 323).strip() + '\n')
    m.sh('sendmail -f user1 x@no-such.test', input='Subject: x\n\ntext\n')
    m.wait_for_log(r'Name service error for name=no-such\.test type=A: Host not found')
    expect(re.findall(r':::25|\[::\]:25', m.sh('ss -ltn').stdout), [], 'listeners for IPv6')
    return '`type=A` in the log line, no listener on [::]'


@row('S-146')
def on_disk_before_250(m):
    m.configure(BASE + f'relayhost = [{RELAY}]:26\n')
    with m.dialogue(source='192.168.0.77', host=OWN) as client:
        for line in ('EHLO x', 'MAIL FROM:<a@remote.test>', f'RCPT TO:<user1@{HOST}>', 'DATA'):
            client.say(line)
        client.send('Subject: kept\r\n\r\ntext\r\n.\r\n')
        expect_match('^250 2.0.0 Ok: queued as', client.reply(), 'the answer')
        m.sh('kill -9 $(cat /var/spool/postfix/pid/master.pid) $(pgrep -P $(cat /var/spool/postfix/pid/master.pid))', check=False)
    wait_until(lambda: m.sh('postfix start', check=False).returncode == 0, 'the start after the kill')
    wait_until(lambda: [t for t in m.mailbox('user1') if 'Subject: kept' in t], lambda: f'the message after the kill; {m.log()[-3000:]}')
    return 'everything killed right behind the 250: the message arrives after the start'


NOTHING_TO_RUN = {'S-009': 'a diagnosis tool', 'S-027': 'a stray address', 'S-034': 'a slip of the pen', 'S-062': 'a reading list', 'S-106': 'firewall rules', 'S-124': 'systemd',
                  'S-136': 'a diagnosis tool', 'S-007': None}


def matrix():
    """the rows: id, kind, lines, what is shown, golden cases"""
    rows = []
    with open(os.path.join(SHARED, 'seed-matrix.md'), encoding='utf-8') as f:
        for line in f:
            if re.match(r'\| S-\d+', line):
                cells = [c.strip() for c in re.split(r'(?<!\\)\|', line)[1:-1]]
                rows.append((cells[0], cells[2], cells[3], re.findall(r'`(\w[\w-]*/[\w-]+)`', cells[-1])))
    return rows


def page(golden):
    tool = os.path.join(SHARED, 'golden', 'tools', 'golden.py')
    report = os.path.join(tempfile.mkdtemp(), 'report')
    subprocess.run([sys.executable, tool, 'compare', golden, '--json', report], stdout=subprocess.DEVNULL)
    with open(report) as f:
        cases = json.load(f)
    equal = equal_cases(cases)
    lines = ['''\
# The users' notes, row by row

Made by `tests/compat/users_notes.py --page build/golden`; do not edit. Each row of the matrix of the users' notes: a command, a
setting, a dialogue or a log line, where it stands (A: Turkish, B: Japanese document), and how it was seen to work here.

- *as captured*: the captures of Postfix that show it were replayed, and every scored byte is equal.
- *differs*: a replayed capture is not equal; what differs and why is in [golden-differences.md](golden-differences.md).
- otherwise: what was seen when the notes' own blocks were played in their order, on a machine of their own.

| row | in | the notes show | seen |
| --- | --- | --- | --- |''']
    for id, where, shows, golden_cases in matrix():
        parts = []
        if id in seen:
            parts.append(seen[id])
        same, other = [c for c in golden_cases if c in equal], [c for c in golden_cases if c not in equal]
        if same:
            parts.append('as captured: ' + ', '.join(f'`{c}`' for c in same))
        if other:
            parts.append('differs: ' + ', '.join(f'`{c}`' for c in other))
        if not parts and NOTHING_TO_RUN.get(id):
            parts.append(f'nothing to run: {NOTHING_TO_RUN[id]}')
        lines.append(f'| {id} | {where} | {shows} | {"; ".join(parts) or "**not shown**"} |')
    with open(PAGE, 'w', encoding='utf-8') as f:
        f.write('\n'.join(lines) + '\n')
    open_rows = [line for line in lines if '**not shown**' in line]
    print(f'{len(lines) - 1} rows, {len(open_rows)} not shown')


def equal_cases(report):
    return {case['case'] for case in report['cases'] if case['full']}


def check_page():
    with open(PAGE, encoding='utf-8') as f:
        text = f.read()
    for id, *_ in matrix():
        found = expect_match(rf'^\| {id} \|.*$', text, 'a row of docs/users-notes.md').group()
        if '**not shown**' in found:
            raise Failed(f'docs/users-notes.md does not show {id}')
        if id in seen and seen[id] not in found:
            raise Failed(f'docs/users-notes.md says something else of {id} than was seen: {seen[id]}')


def main():
    if not os.path.exists(os.path.join(SHARED, 'seed-matrix.md')):
        skip('the notes are not beside this checkout')
    if os.geteuid() != 0:
        skip('needs root')
    if not os.path.exists('/usr/sbin/saslpasswd2'):
        skip('needs sasl2-bin')
    m = Site(HOST, ('user1', 'user2'), [f'{OWN}/24', f'{RELAY}/32', '192.168.0.77/32', f'{OUTSIDE}/32'], {('remote.test', 'MX'): [(10, 'mx.remote.test')], ('remote.test', 'A'): ['192.0.2.1']})
    try:
        for ids, play in plays:
            try:
                said = play(m)
            except (Failed, EOFError, OSError, subprocess.TimeoutExpired) as error:
                print(f'NOT SEEN: {", ".join(ids)} ({play.__name__}): {error}')
                failures.append(play.__name__)
                continue
            if said:
                seen.update(dict.fromkeys(ids, said))
    finally:
        m.close()
    if failures:
        sys.exit(1)
    if sys.argv[1:2] == ['--page']:
        page(sys.argv[2])
    else:
        check_page()


failures = []
main()
