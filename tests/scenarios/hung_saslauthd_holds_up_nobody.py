"""A saslauthd that takes requests and never answers: those who log in get 454 in bounded time, mail and the other logins go
on meanwhile; one that lies or hangs up is 454 too. The process that holds libsasl2 comes back when it is killed."""
import os, signal, struct
from cyrus import ENABLED, FalseSaslauthd, plain, sasl_pids, smtpd_conf
from instance import Instance, expect, expect_match, wait_until

LATER = '454 4.7.0 Temporary authentication failure'
with Instance(main=ENABLED, start=False) as mail:
    answers = {}

    def act(connection):
        request = connection.recv(1000)
        size, = struct.unpack('>H', request[:2])
        answer = answers[request[2:2 + size].decode()]
        if answer is not None:
            connection.sendall(answer)
            connection.close()

    false = FalseSaslauthd(os.path.join(mail.folder, 'auth', 'mux'), act)
    smtpd_conf(mail, f'pwcheck_method: saslauthd\nsaslauthd_path: {mail.folder}/auth/mux\nmech_list: PLAIN\n')
    answers.update(good=b'\0\2OK', hung=None, gone=b'', lies=b'\xff\xffOK and much more that never comes', empty=b'\0\0', no=b'\0\2NO')
    mail.start()

    def login(user):
        with mail.dialogue() as c:
            c.say('EHLO x')
            return c.say('AUTH PLAIN ' + plain(user, 'x'))
    expect(login('good'), '235 2.7.0 Authentication successful', 'an answer')
    expect(login('no'), '535 5.7.8 Error: authentication failed: authentication failure', 'a refusal')
    for user in ('gone', 'empty', 'lies'):
        expect_match(r'^(454 4\.7\.0 Temporary authentication failure|535 5\.7\.8 Error: authentication failed)', login(user), user)
    waiting = [mail.dialogue() for _ in range(10)]
    for c in waiting:
        c.say('EHLO x')
        c.send('AUTH PLAIN ' + plain('hung', 'x') + '\r\n')
    wait_until(lambda: len(false.kept) >= 15, 'ten that hang')
    expect(login('good'), '235 2.7.0 Authentication successful', 'another login meanwhile')
    mail.send()
    mail.wait_for_mail('alice')
    expect([c for c in waiting if not c.still_waits()], [], 'those whose login hangs that had an answer before')
    for c in waiting:
        expect(c.reply()[:len(LATER)], LATER, 'the answer to a login that hangs')
        c.close()

    pid, = sasl_pids(mail)
    with mail.dialogue() as c:
        c.say('EHLO x')
        expect(c.say('AUTH PLAIN'), '334 ', 'a login begins')
        os.kill(pid, signal.SIGKILL)
        expect(c.say(plain('good', 'x')).startswith(LATER), True, 'the process dies in mid-session')
    mail.wait_for_log(rf'warning: process sasl pid {pid} killed by signal 9')
    wait_until(lambda: [p for p in sasl_pids(mail) if p != pid], 'a new process')
    wait_until(lambda: login('good').startswith('235'), 'logins')
