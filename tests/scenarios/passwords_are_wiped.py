"""After logins, right and wrong, with every way to send a password, none is left in the memory of the engine or of the process
that holds libsasl2, neither as it is nor in base64; nor in the log. Needs root, to look."""
import os
from cyrus import ENABLED, add_user, b64, need, plain, sasl_pids, smtpd_conf
from instance import Instance, expect, may_look_into_processes, skip

if not may_look_into_processes():
    skip('may not read the memory of other processes')
need('saslpasswd2')
GOOD, WRONG = 'Xy7goodPassw0rd', 'Qz9WrongPassw0rd'


def found_in(pid, needles):
    """which of the needles stand in the writable memory of a process"""
    found = set()
    with open(f'/proc/{pid}/maps') as maps, open(f'/proc/{pid}/mem', 'rb', 0) as memory:
        for line in maps:
            place, rights = line.split()[:2]
            if 'w' not in rights:
                continue
            begin, end = (int(x, 16) for x in place.split('-'))
            try:
                memory.seek(begin)
                content = memory.read(end - begin)
            except OSError:
                continue
            found |= {n for n in needles if n in content}
    return found


with Instance(main=ENABLED, start=False) as mail:
    database = mail.folder + '/sasldb2'
    add_user(database, 'alice', GOOD, owner=mail.owner)
    smtpd_conf(mail, f'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {database}\nmech_list: PLAIN LOGIN CRAM-MD5\n')
    mail.start()
    for _ in range(5):
        with mail.dialogue() as c:
            c.say('EHLO x')
            expect(c.say('AUTH PLAIN ' + plain('alice', WRONG))[:3], '535', 'wrong')
            expect(c.say('AUTH PLAIN'), '334 ', 'AUTH PLAIN')
            expect(c.say(plain('alice', WRONG))[:3], '535', 'wrong, in a second line')
            expect((c.say('AUTH LOGIN')[:3], c.say(b64('alice'))[:3], c.say(b64(WRONG))[:3]), ('334', '334', '535'), 'wrong, with LOGIN')
            expect(c.say('AUTH PLAIN ' + plain('alice', GOOD))[:3], '235', 'right')
        with mail.dialogue() as c:
            c.say('EHLO x')
            expect((c.say('AUTH LOGIN')[:3], c.say(b64('alice'))[:3], c.say(b64(GOOD))[:3]), ('334', '334', '235'), 'right, with LOGIN')
    # the first four characters of base64 are those of the name
    needles = [w.encode() for p in (GOOD, WRONG) for w in (p, b64(p), plain('alice', p)[8:30])]
    pid, = sasl_pids(mail)
    expect(found_in(os.getpid(), needles) != set(), True, 'that the search finds anything')
    expect(found_in(pid, needles), set(), 'what is left in the process with libsasl2')
    expect(found_in(mail.engine_pid(), needles), set(), 'what is left in the engine')
    expect([n for n in needles if n.decode() in mail.log()], [], 'what is in the log')
