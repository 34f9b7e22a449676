"""bounce(8): texts, parts, notices, success and delay reports"""


def bodied(c, to, **more):
    c.send(to, **more)
    c.log()


@case('dsn-mixes')
def dsn_mixes(c):
    for parameters in ('', ' RET=FULL', ' RET=HDRS ENVID=env+2B1', ' RET=HDRS'):
        for notify in ('', ' NOTIFY=NEVER', ' NOTIFY=FAILURE', ' NOTIFY=SUCCESS', ' NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;orig+2Bx@else.test', ' NOTIFY=DELAY ORCPT=x-own;a+3Db'):
            c.send(['r550-5.1.1@ok.test', 'ok@ok.test'], sender='bob@golden.test', parameters=parameters, rcpt=notify, headers=f'Subject: {parameters}{notify}\r\nMessage-Id: <1@remote.test>\r\n')
            c.settle()
    # What is no bounce in the end has a message id in Postfix's log.
    c.log(only='postfix/(smtp|bounce|local|qmgr)')
    c.mail('bob')
    c.far()


@case('dsn-relayed')
def dsn_relayed(c):
    c.send(['a@plain.test', 'carol@golden.test', 'a@helo.test', 'r550@plain.test'], sender='bob@golden.test', parameters=' RET=HDRS ENVID=e1', rcpt=' NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first@else.test')
    c.log()
    c.mail('bob')
    c.far()


@case('dsn-aliases', differs='each delivery to a member of a virtual alias is reported', main='virtual_alias_domains = va.test\nvirtual_alias_maps = inline:{ {v@va.test=bob@golden.test, x@ok.test, r550@ok.test} {one@va.test=carol@golden.test} }\n',
      files={'/etc/aliases': 'postmaster: root\nroot: alice\nlist: carol, x@ok.test, r550@ok.test\nowned: carol, r550@ok.test\nowner-owned: dave\nnull: /dev/null\ncmd: "|true"\n', '/home/erin/.forward': 'x@ok.test, \\erin\n'})
def dsn_aliases(c):
    for to in ('v@va.test', 'one@va.test', 'list@golden.test', 'owned@golden.test', 'null@golden.test', 'cmd@golden.test', 'erin@golden.test'):
        c.send(to, sender='bob@golden.test', parameters=' ENVID=e1', rcpt=' NOTIFY=SUCCESS,FAILURE', headers=f'Subject: {to}\r\nMessage-Id: <1@remote.test>\r\n')
        c.settle()
    c.log()
    c.mail('bob', 'dave')


@case('several', main='bounce_size_limit = 100\n')
def several(c):
    bodied(c, ['r550@ok.test', 'rx550@ok.test', 'x@nx.nosuch.test', 'r550-5.7.1@ok.test', 'a@nullmx.test', 'a@mxnohost.test', 'a@noaddr.test', '"q u"@nx.nosuch.test', 'd554-5.6.0@ok.test', 'good@ok.test'], sender='bob@golden.test', body='long\r\n' * 50)
    c.mail('bob')


@case('contents')
def contents(c):
    for headers, body in (('', ''), ('', 'only a body'), ('Subject: x\r\n', ''), ('Content-Type: multipart/mixed; boundary=a\r\nMime-Version: 1.0\r\n', '--a\r\n\r\nx\r\n--a--'), ('Subject: 8bit \xe9\r\n', 'b\xe4h'),
                          ('Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n', 'sch\xf6n'), ('Subject: long\r\n', 'y' * 3000), ('X: ' + 'z' * 1500 + '\r\n', 'b'), ('Return-Path: <old@x.test>\r\nBcc: hidden@x.test\r\n', '--dashes'),
                          ('Subject: nul\r\n', 'a\0b'), ('no header at all\r\n', 'x')):
        c.send('r550@ok.test', sender='bob@golden.test', headers=headers, body=body)
        c.settle()
    c.log()
    c.mail('bob')


@case('double', main='notify_classes = 2bounce, resource, software\n')
def double(c):
    bodied(c, 'r550@ok.test', sender='r550-5.1.1@remote.test')
    c.mail('alice')
    bodied(c, 'r550@ok.test', sender='')
    c.mail('alice')


@case('double-silent')
def double_silent(c):
    bodied(c, 'r550@ok.test', sender='r550@remote.test')
    bodied(c, 'nosuch@golden.test', sender='')
    bodied(c, 'r550@ok.test', sender='double-bounce@golden.test')
    bodied(c, 'r550@ok.test', sender='mailer-daemon@golden.test')
    bodied(c, 'r550@ok.test', sender='nosuch@golden.test')


@case('classes', main='notify_classes = bounce, delay, policy, protocol, resource, software, 2bounce\nbounce_notice_recipient = carol\ndelay_notice_recipient = dave\n2bounce_notice_recipient = erin\nerror_notice_recipient = fwd\ndelay_warning_time = 1s\n'
      'minimal_backoff_time = 2s\nmaximal_backoff_time = 2s\nqueue_run_delay = 1s\n')
def classes(c):
    c.send('r550@ok.test', sender='bob@golden.test')
    c.send('a@down.test', sender='bob@golden.test', rcpt=' NOTIFY=DELAY,FAILURE')
    c.send('r550@ok.test', sender='r550@remote.test')
    for who in ('bob', 'carol', 'dave', 'erin'):
        c.wait_for(f'to=<{who}@.*status=sent')
    c.wait_for('Delayed|sender delay notification')
    c.settle(limit=3)
    c.log(only='notification')
    c.sh('postsuper -d ALL 2>/dev/null', show='postsuper -d ALL')
    c.mail('bob', 'carol', 'dave', 'erin', 'fwd')


@case('expires', main='maximal_queue_lifetime = 0\nbounce_queue_lifetime = 0\n')
def expires(c):
    bodied(c, ['r450-4.2.1@ok.test', 'a@down.test', 'r550@ok.test', 'good@ok.test'], sender='bob@golden.test')
    c.mail('bob')
    bodied(c, 'r450@ok.test', sender='')
    c.sh('postqueue -p')


@case('templates', main='bounce_template_file = /etc/postfix/bounce.cf\nmaximal_queue_lifetime = 0\nbounce_queue_lifetime = 0\ndelay_warning_time = 1h\n', files={'/etc/postfix/bounce.cf': '''# own texts
failure_template = <<END
Charset: iso-8859-1
From: Post at $myhostname <postmaster@$mydomain>
Subject: Could not deliver ($mail_name)
Postmaster-Subject: Copy: $myhostname

Own text of $myhostname, $mail_name-free.
Days: ${maximal_queue_lifetime_days} $maximal_queue_lifetime_hours $delay_warning_time_minutes ${delay_warning_time_hours}
 indented $$5
END
success_template = <<END
Charset: us-ascii
From: a@b
Subject: It worked

Fine.
END
'''})
def templates(c):
    bodied(c, 'r550@ok.test', sender='bob@golden.test')
    bodied(c, 'carol@golden.test', sender='bob@golden.test', rcpt=' NOTIFY=SUCCESS')
    c.mail('bob')


@case('wording', main='myhostname = a-very-long-host-name-that-goes-on-and-on.sub.domain.golden.test\nmail_name = Mail & More\nmulti_instance_name =\nempty_address_recipient = nobody-here\n')
def wording(c):
    bodied(c, ['r550@ok.test', 'a-very-long-local-part-that-goes-on-and-on-and-on-until-it-has-to-be-folded@also-a-long-domain.nosuch.test'], sender='bob@golden.test')
    c.mail('bob')


@case('soft', main='soft_bounce = yes\n')
def soft(c):
    bodied(c, ['r550@ok.test', 'a@nx.nosuch.test', 'x@[127.0.0.26]'], sender='bob@golden.test')
    c.sh('postqueue -p | sort')


@case('internal-mail', main='internal_mail_filter_classes = bounce\nheader_checks = regexp:/etc/postfix/checks\nalways_bcc = carol@golden.test\n', files={'/etc/postfix/checks': '/^Subject: Undelivered/ PREPEND X-Seen: yes\n'})
def internal_mail(c):
    bodied(c, 'r550@ok.test', sender='bob@golden.test')
    c.mail('bob', 'carol')


@case('utf8', differs='the addresses of UTF-8 recipients are called so (RFC 6533)', main='smtputf8_enable = yes\n')
def utf8(c):
    for to in ('r550@utf8.test', '\u00fcser@utf8.test', 'r550@ok.test'):
        c.send(to, sender='bob@golden.test', parameters=' SMTPUTF8', headers='Subject: \u00fcber\r\nMessage-Id: <1@remote.test>\r\n', body='gr\u00fc\u00dfe')
        c.settle()
    c.log()
    c.mail('bob')
    c.far()
