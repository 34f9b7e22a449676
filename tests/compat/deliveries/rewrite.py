"""what becomes of headers and envelopes on the way in"""


def given(c, *to, **more):
    for t in to:
        c.send(t, **more)
    c.settle()


@case('canonical-headers', main='canonical_maps = inline:{ {bob@golden.test=Bob.E@golden.test} {carol=c.c@golden.test} {@old.test=@new.test} }\nrecipient_canonical_maps = inline:{ {dave@golden.test=erin@golden.test} }\nsender_canonical_maps = inline:{ {user@golden.test=The.User@golden.test} }\n'
      'virtual_alias_maps = inline:{ {Bob.E@golden.test=alice} {c.c@golden.test=alice} }\nlocal_recipient_maps =\nlocal_header_rewrite_clients = static:all\n')
def canonical_headers(c):
    given(c, 'bob', 'carol', 'dave@golden.test', sender='user@golden.test', headers='From: user\r\nSender: bob@golden.test (B)\r\nTo: "Bob" <bob>, carol,dave\r\nCc: x@old.test,\r\n  "y z"@old.test\r\nReply-To: g: carol, user@golden.test;\r\nResent-From: carol\r\nErrors-To: carol\r\nDisposition-Notification-To: carol\r\nReturn-Receipt-To: carol\r\nX-Mail: carol\r\nMessage-Id: <carol@golden.test>\r\n')
    c.log()
    c.mail('alice', 'erin')


@case('canonical-classes', main='canonical_maps = inline:{ {carol=c.c@golden.test} }\ncanonical_classes = header_sender, envelope_sender\nvirtual_alias_maps = inline:{ {c.c@golden.test=alice} }\n')
def canonical_classes(c):
    given(c, 'carol', sender='carol', headers='From: carol\r\nTo: carol\r\n')
    c.log()
    c.mail('carol')


@case('masquerade', main='masquerade_domains = keep.golden.test !not.golden.test golden.test\nmasquerade_exceptions = root\nmasquerade_classes = header_sender, header_recipient, envelope_sender\n')
def masquerade(c):
    for sender in ('a@x.golden.test', 'root@x.golden.test', 'b@y.keep.golden.test', 'c@not.golden.test', 'd@z.not.golden.test', 'e@golden.test'):
        given(c, 'bob@golden.test', sender=sender, headers=f'From: {sender}\r\nTo: {sender}, x@else.test\r\n')
    c.log()
    c.mail('bob')


@case('header-forms', main='remote_header_rewrite_domain = domain.invalid\n')
def header_forms(c):
    headers = ('To: user, "quo ted", a.b, a@b, <user>, Name <user>, user (d), user@, a b <user>, group: user, a@b;, user@[1.2.3.4], =?utf-8?q?x?= <user>\r\n'
               'Cc:user\r\nCc: \r\nCc: user,\r\nCc: ,user\r\nReply-To: user;\r\nFrom: "a, b" <user>, c\r\nSender: <>\r\nTo: ' + ', '.join(f'someone{i}@golden.test' for i in range(12)) + '\r\nTo: first,\r\n second,\r\n\tthird\r\nSubject: x\r\n')
    for source in ('127.0.0.1', '127.0.0.2'):
        given(c, 'bob@golden.test', headers=headers, source=source)
    c.log()
    c.mail('bob')


@case('missing-headers', main='always_add_missing_headers = yes\n')
def missing_headers(c):
    for headers in ('', 'Subject: x\r\n', 'From: a@b\r\n', 'Date: x\r\n', 'Message-Id: <a@b>\r\n', 'Resent-From: a@b\r\n', 'Resent-Date: x\r\nResent-Message-Id: <c@d>\r\n', 'Bcc: x@y\r\n', 'To:\r\n'):
        for source in ('127.0.0.1', '127.0.0.2'):
            given(c, 'bob@golden.test', headers=headers, source=source)
    c.log()
    c.mail('bob')


@case('checks', main='header_checks = regexp:/etc/postfix/h\nbody_checks = regexp:/etc/postfix/b\nmime_header_checks = regexp:/etc/postfix/m\nnested_header_checks = regexp:/etc/postfix/n\ntransport_maps = inline:{ {filtered.test=discard:} }\nfilt_destination_recipient_limit = 1\n', files={
    '/etc/postfix/h': '/^Subject: (redirect)/ REDIRECT carol@golden.test\n/^Subject: filter/ FILTER discard:filtered\n/^Subject: discard/ DISCARD\n/^Subject: bcc/ BCC dave@golden.test\n/^Subject: prepend/ PREPEND X-One: 1\n/^Subject: replace/ REPLACE Subject: new\n  more\n/^Subject: hold/ HOLD\n/^Subject: ignore/ IGNORE\n/^Subject: warn/ WARN careful\n'
    '/^Subject: info (.*)/ INFO $1\n/^Subject: reject/ REJECT\n/^Subject: rej2/ REJECT 5.7.99 own words\n/^Subject: rej4/ 450 4.7.0 later\n/^Subject: delay/ DELAY 1h\n/^Subject: bad/ NOSUCH x\n/^Subject: dunno/ DUNNO\n/^Subject: pass/ PASS\n/^X-Warn/ WARN\n',
    '/etc/postfix/b': '/^body reject/ REJECT by body\n/^body replace (.*)/ REPLACE [$1]\n/^body ignore/ IGNORE\n/^body warn/ WARN\n/^body prepend/ PREPEND above\n/^body redirect/ REDIRECT carol@golden.test\n', '/etc/postfix/m': '/name=.*\\.exe/ REJECT no programs\n', '/etc/postfix/n': '/^Subject: inner/ REJECT nested\n'})
def checks(c):
    for word in 'redirect filter discard bcc prepend replace hold ignore warn info reject rej2 rej4 delay bad dunno pass'.split():
        given(c, 'bob@golden.test', headers=f'Subject: {word} x\r\nFrom: f@x\r\n')
    for word in 'reject replace ignore warn prepend redirect'.split():
        given(c, 'bob@golden.test', headers='Subject: body\r\nX-Warn: 1\r\n', body=f'one\r\nbody {word} x\r\ntwo')
    for part in ('Content-Type: application/x; name=a.exe\r\n\r\nx', 'Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx', 'Content-Type: text/plain\r\n\r\nbody reject'):
        given(c, 'bob@golden.test', headers='Mime-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n', body=f'--b\r\n{part}\r\n--b--')
    c.sh('postqueue -p')
    c.log()
    c.mail('bob')


@case('bcc', main='sender_bcc_maps = inline:{ {sender@remote.test=carol@golden.test} }\nrecipient_bcc_maps = inline:{ {bob@golden.test=dave@golden.test} }\nalways_bcc = erin@golden.test\n')
def bcc(c):
    given(c, 'bob@golden.test', ['bob@golden.test', 'a@ok.test'], rcpt=' NOTIFY=SUCCESS', sender='sender@remote.test')
    given(c, 'bob@golden.test', sender='')
    c.log()
    c.mail('carol', 'dave', 'erin')
    c.far()


@case('relocated', main='relocated_maps = inline:{ {bob@golden.test=bob@new.test} {@moved.test=elsewhere} {carol=} }\nlocal_recipient_maps =\nrelay_domains = moved.test\n')
def relocated(c):
    given(c, 'bob@golden.test', 'bob+x@golden.test', 'a@moved.test', 'carol@golden.test', 'bob')
    c.sh('sendmail bob a@moved.test', input='Subject: x\n\n', user='alice')
    c.log()
    c.mail('alice')


@case('virtual-aliases', main='virtual_alias_domains = va.test\nvirtual_alias_maps = inline:{ {a@va.test=bob@golden.test} {b@va.test=bob@golden.test, carol, x@ok.test} {@va.test=dave@golden.test} {c@va.test=a@va.test} {d@va.test=d@va.test} {carol@golden.test=carol@golden.test, erin} {e@va.test=nosuch@golden.test} {f@va.test=|cat} {g@va.test=/tmp/x} {h@va.test=user@nx.nosuch.test} }\n'
      'virtual_alias_expansion_limit = 10\nrecipient_delimiter = +\n')
def virtual_aliases(c):
    given(c, *(f'{x}@va.test' for x in 'abcdefghz'), 'a+ext@va.test', 'z+ext@va.test', 'carol', ['a@va.test', 'b@va.test', 'c@va.test', 'bob@golden.test'], 'A@VA.test')
    c.log()
    c.mail('bob', 'erin')
    c.far()
