"""the queue and its commands: listings, hold, requeue, expiry, flushing"""


def wait_all(c, *to, **more):
    for t in to:
        c.send(t, **more)
        c.settle()


def ids(c):
    return [line.split()[0].rstrip('*!#') for line in c.world_sh('postqueue -p').splitlines() if line[:1].isalnum() and 'Mail queue' not in line]


@case('reasons')
def reasons(c):
    wait_all(c, ['r450-4.2.1@ok.test', 'a@down.test', 'r451@ok.test', 'd450@ok.test', 'b@down.test'], sender='bob@golden.test')
    wait_all(c, 'z@down.test')
    c.sh('postqueue -j | grep z@')
    wait_all(c, 'rx450@ok.test', sender='')
    wait_all(c, '"q u"@down.test', sender='"s p"@remote.test')
    c.sh('postqueue -p | sort')
    c.sh('mailq | wc -l', user='bob')
    c.log()


@case('hold-and-release')
def hold_and_release(c):
    wait_all(c, 'a@down.test')
    first = second = ids(c)[0]
    for command in (f'postsuper -h {first}', 'postqueue -p', 'postqueue -f', f'postqueue -i {first}', f'postsuper -H {first}', f'postsuper -H {second}', 'postsuper -h ALL', 'postsuper -h ALL deferred', 'postqueue -j', 'postsuper -H ALL', 'postsuper -e ALL', 'postqueue -p'):
        c.sh(command)
        c.settle()
    c.log(only='postsuper')


@case('expire')
def expire(c):
    wait_all(c, 'a@down.test', sender='bob@golden.test')
    one = ids(c)[0]
    for command in (f'postsuper -e {one}', 'postqueue -p', 'postqueue -j'):
        c.sh(command)
    c.sh('postqueue -f')
    c.settle()
    c.log(only='postfix/(postsuper|bounce)|status=force')
    c.mail('bob')
    wait_all(c, 'b@down.test', sender='bob@golden.test')
    c.sh(f'postsuper -f {ids(c)[0]}')
    c.settle()
    c.sh('postqueue -p')
    c.log(only='postfix/(postsuper|bounce)|status=force')


@case('requeue', differs='resubmitted at once, not at the next look of pickup', main='always_bcc = carol\nvirtual_alias_maps = inline:{ {v@golden.test=a@down.test} }\n')
def requeue(c):
    wait_all(c, 'v@golden.test', rcpt=' NOTIFY=FAILURE ORCPT=rfc822;o@x.test', parameters=' ENVID=e RET=HDRS')
    c.sh(f'postsuper -r {ids(c)[0]}')
    c.sh('postqueue -f')
    c.settle()
    c.log()
    c.sh('postqueue -p')


@case('hold-access', main='smtpd_recipient_restrictions = check_recipient_access inline:{ {carol@golden.test=HOLD for a look} }\nheader_checks = regexp:/etc/postfix/checks\n', files={'/etc/postfix/checks': '/^Subject: hold/ HOLD by header\n/^Subject: go/ DISCARD away\n'})
def hold_access(c):
    wait_all(c, 'carol@golden.test', ['bob@golden.test', 'carol@golden.test'])
    wait_all(c, 'bob@golden.test', headers='Subject: hold me\r\n')
    wait_all(c, 'bob@golden.test', headers='Subject: go\r\n')
    c.sh('postqueue -p')
    c.sh('postsuper -H ALL')
    c.sh('postqueue -f')
    c.settle()
    c.sh('postqueue -p')
    c.log()


@case('defer-transports', main='defer_transports = smtp, local\n')
def defer_transports(c):
    wait_all(c, ['a@ok.test', 'bob@golden.test', 'x@remote.test'])
    c.sh('postqueue -p | sort')
    c.sh('postqueue -f')
    c.settle()
    c.log()


@case('flush-site', main='relay_domains = ok.test, down.test\nfast_flush_domains = $relay_domains\ntransport_maps = inline:{ {ok.test=relay:[127.0.0.26]} {down.test=relay:[127.0.0.26]} }\n')
def flush_site(c):
    wait_all(c, ['a@ok.test', 'b@sub.ok.test'], 'c@down.test')
    for command in ('postqueue -s ok.test', 'postqueue -s sub.ok.test', 'postqueue -s elsewhere.test', 'postqueue -s "bad name"', 'sendmail -qRok.test', 'sendmail -qSbob', 'sendmail -q'):
        c.sh(command)
        c.settle()
    c.smtp('ETRN ok.test', 'ETRN other.test', 'ETRN bad_name!')
    c.log()


@case('throttled', main='transport_destination_concurrency_failed_cohort_limit = 1\ninitial_destination_concurrency = 1\n')
def throttled(c):
    wait_all(c, 'a@down.test', 'b@down.test', 'c@down.test', 'd@r450.down.test')
    c.sh('postqueue -p')
    c.log()


@case('postcat')
def postcat(c):
    wait_all(c, ['a@down.test', 'b@down.test'], sender='bob@golden.test', body='line\r\n\r\nFrom x', parameters=' ENVID=e1 RET=HDRS', rcpt=' NOTIFY=FAILURE')
    one = ids(c)[0]
    for command in (f'postcat -q {one}', f'postcat -bq {one}', f'postcat -hq {one}', f'postcat -eq {one}', f'postcat -bhq {one}', f'postcat -d {one}' if False else f'postcat -q {one} nosuch'):
        c.sh(command + ' | grep -v "^message_size\\|_time\\|_addr=\\|_port\\|address_family"', show=command)


@case('postsuper-words')
def postsuper_words(c):
    wait_all(c, 'a@down.test')
    one = ids(c)[0]
    for command in (f'postsuper -d {one} -h {one}', 'postsuper -d', 'postsuper -d ""', 'postsuper -d ../x', 'postsuper -h NOSUCH -H NOSUCH', 'postsuper -d - </dev/null', 'postsuper -x', 'postsuper deferred', 'postsuper -s active'):
        c.sh(command)


@case('partly-done')
def partly_done(c):
    wait_all(c, ['good@ok.test', 'r550@ok.test', 'bob@golden.test', 'r450@ok.test'])
    c.sh('postqueue -f')
    c.settle()
    c.sh('postqueue -p')
    c.log()


@case('local-rejects', differs='the headers of mail that was refused do not come back with the bounce', main='header_checks = regexp:/etc/postfix/h\nbody_checks = regexp:/etc/postfix/b\n', files={'/etc/postfix/h': '/^Subject: no/ REJECT go away\n/^Subject: later/ 450 4.7.0 not now\n/^Subject: hold/ HOLD wait\n/^Subject: discard/ DISCARD drop\n', '/etc/postfix/b': '/^bad/ REJECT\n'})
def local_rejects(c):
    for subject, body in (('no', ''), ('hold', ''), ('discard', ''), ('ok', 'bad'), ('ok', 'good')):
        c.sh('sendmail bob carol', user='alice', input=f'Subject: {subject}\n\n{body}\n')
        c.settle()
    c.sh('postqueue -p')
    c.log()
    c.mail('alice')
