"""smtp(8): what the far side answers, hears and gets"""


def sent(c, *to, **more):
    for t in to:
        c.send(t, **more)
    c.log()


@case('replies')
def replies(c):
    sent(c, *(f'{step}{code}@ok.test' for step in ('r', 'rx', 'd', 'dx') for code in ('421-4.3.2', '450', '450-4.2.1', '450-5.2.1', '451-4.7.1', '452-4.5.3', '454', '500', '501-5.1.3', '503', '521', '530-5.7.0', '550', '550-4.1.1', '550-5.1.1', '550-2.1.1', '552-5.2.2', '553', '554-5.7.1', '555', '556-5.1.10', '250-4.2.0')))
    for code in ('421', '450-4.7.1', '451', '550-5.1.8', '550', '552', '501'):
        c.send('a@ok.test', sender=f'm{code}@remote.test')
    c.log()


@case('hops')
def hops(c):
    sent(c, 'a@ok.test', 'a@remote.test', 'a@prefs.test', 'a@alldown.test', 'a@nullmx.test', 'a@mxnohost.test', 'a@noaddr.test', 'a@nx.nosuch.test', 'a@cname.test', 'a@[127.0.0.25]', 'a@[127.0.0.26]', 'a@[127.0.0.1]', 'a@[ipv6:::1]', 'a@[x]', 'a@helo.test', 'a@plain.test', 'a@loop.test', 'hang@ok.test', 'A@OK.test', '"quo ted"@ok.test', '"a\\\\b"@ok.test', 'a+b=c/d@ok.test')
    c.sh('postqueue -p')
    c.far()


@case('several-recipients')
def several_recipients(c):
    sent(c, ['r550@ok.test', 'a@ok.test', 'r450@ok.test', 'b@remote.test', 'c@ok.test'], ['a@plain.test', 'r550@plain.test', 'b@plain.test'], ['r550@ok.test', 'r450@ok.test'])
    c.far()


@case('recipient-limit', main='smtp_destination_recipient_limit = 2\n')
def recipient_limit(c):
    sent(c, [f'a{i}@ok.test' for i in range(5)])
    c.far()


@case('content')
def content(c):
    for headers, body in (('', ''), ('Subject: x\r\n', '..\r\n.x\r\n...'), ('Subject: long\r\n', 'x' * 2500), ('X: ' + 'h' * 2500 + '\r\n', 'b'), ('X: ' + 'word ' * 500 + '\r\n', 'b'), ('Subject: 8\u00e9\r\n', '\u00e4'), ('Subject: nul\r\n', 'a\0b'), ('Return-Path: <x@y>\r\nBcc: hidden@x.test\r\nContent-Length: 5\r\n', 'b'),
                          ('no header\r\n', 'b'), ('Subject: x\r\n\r\n\r\n', '\r\n\r\n'), ('Subject: ' + 'x' * 998 + '\r\n', 'y' * 998), ('Subject: tab\r\n', 'a\tb \r\n ')):
        c.send('a@ok.test', headers=headers, body=body)
        c.settle()
    c.log()
    c.far()


@case('eight-bit')
def eight_bit(c):
    parts = 'Mime-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n'
    body = '--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\u00e4=x \r\nFrom y\r\n\t\r\n' + '\u00fc' * 60 + '\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\u00df\r\n--b\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--'
    for to in ('a@plain.test', 'a@ok.test'):
        for headers, text in ((parts, body), ('Mime-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n', 'sch\u00f6n.\r\n.\r\n..x\r\n' + 'a' * 100 + '\u00e9 \r\n'), ('Subject: no mime\r\n', '\u00e4'), ('Subject: \u00e4\r\nMime-Version: 1.0\r\n', 'x'), ('Mime-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n', '\u00e4')):
            c.send(to, headers=headers, body=text, parameters=' BODY=8BITMIME')
            c.settle()
    c.log()
    c.far()


@case('no-conversion', main='disable_mime_output_conversion = yes\nsmtp_never_send_ehlo = no\nsmtp_always_send_ehlo = no\nsmtp_line_length_limit = 60\nsmtp_quote_rfc821_envelope = no\n')
def no_conversion(c):
    c.send('a@plain.test', headers='Mime-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n', body='sch\u00f6n ' * 20, parameters=' BODY=8BITMIME')
    c.send('"a b"@ok.test', body='word ' * 50)
    c.log()
    c.far()


@case('header-checks', main='smtp_header_checks = regexp:/etc/postfix/h\nsmtp_mime_header_checks = regexp:/etc/postfix/m\nsmtp_nested_header_checks = regexp:/etc/postfix/n\nsmtp_body_checks = regexp:/etc/postfix/b\n', files={
    '/etc/postfix/h': '/^Subject: gone/ IGNORE\n/^Subject: (.*)/ REPLACE Subject: [$1]\n/^X-Pre:/ PREPEND X-Before: yes\n/^X-Warn:/ WARN seen\n/^X-Info:/ INFO noted\n/^X-Rej:/ REJECT no\n/^X-Dunno/ DUNNO\n/^X-Strip/ STRIP cut\n', '/etc/postfix/m': '/^Content-Type:.*evil/ IGNORE\n',
    '/etc/postfix/n': '/^Subject:/ REPLACE Subject: nested\n', '/etc/postfix/b': '/^secret/ IGNORE\n/^swap/ REPLACE swapped\n/^hint/ PREPEND a hint:\n/^warn/ WARN body\n'})
def header_checks(c):
    c.send('a@ok.test', headers='Subject: one\r\nX-Pre: a\r\nX-Warn: b\r\nX-Info: c\r\nX-Rej: d\r\nX-Dunno: e\r\nX-Strip: f\r\n', body='secret\r\nswap\r\nhint\r\nwarn\r\nother')
    c.send('a@ok.test', headers='Subject: gone\r\nMime-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n', body='--b\r\nContent-Type: text/evil\r\n\r\nx\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ny\r\n--b--')
    c.log()
    c.far()


@case('generic', main='smtp_generic_maps = inline:{ {bob@golden.test=bob.e@public.test} {@mail.golden.test=@public.test} {carol=c@public.test} {dave+x@golden.test=d@public.test} {erin@golden.test="e e"@public.test} }\nrecipient_delimiter = +\nmasquerade_domains = golden.test\n')
def generic(c):
    for sender in ('bob@golden.test', 'x@mail.golden.test', 'carol', 'dave+x@golden.test', 'bob+e@golden.test', 'erin@golden.test', 'a@sub.golden.test', ''):
        c.send('bob.y@ok.test', sender=sender, headers=f'From: Full <{sender}>\r\nTo: carol, "B" <bob@golden.test>\r\nCc: group: erin@golden.test;\r\nReply-To: bob+e@golden.test\r\nX-Other: bob@golden.test\r\nSubject: x\r\n')
        c.settle()
    c.log()
    c.far()


@case('parameters', differs='no message-id line of a bounce that nobody wants', main='smtp_helo_name = hello.$mydomain\nsmtp_address_preference = ipv4\nsmtp_bind_address = 127.0.0.9\nsmtp_discard_ehlo_keywords = pipelining, dsn, size\n')
def parameters(c):
    c.send(['a@ok.test', 'r550@ok.test'], parameters=' ENVID=e RET=HDRS', rcpt=' NOTIFY=SUCCESS ORCPT=rfc822;x@y')
    c.log()
    c.far()


@case('dsn-parameters')
def dsn_parameters(c):
    for sender, parameters, rcpt in (('bob@golden.test', ' RET=FULL ENVID=a+2Bb', ' NOTIFY=NEVER'), ('bob@golden.test', ' RET=HDRS', ' NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;o+2B@x'), ('', '', ' ORCPT=utf-8;x'), ('bob@golden.test', ' BODY=7BIT', ' NOTIFY=DELAY'), ('bob@golden.test', ' BODY=8BITMIME SIZE=100', ''), ('bob@golden.test', ' AUTH=<>', '')):
        c.send('a@ok.test', sender=sender, parameters=parameters, rcpt=rcpt)
        c.settle()
    c.log()
    c.far()


@case('fallback-relay', main='smtp_fallback_relay = [127.0.0.25]\n')
def fallback_relay(c):
    sent(c, 'a@down.test', 'a@nx.nosuch.test', 'a@alldown.test', 'a@nullmx.test', 'a@ok.test')
    c.far()


@case('relayhost', main='relayhost = [127.0.0.25]:25\n')
def relayhost(c):
    sent(c, 'a@down.test', 'a@nx.nosuch.test', 'r550@else.test')


@case('relayhost-missing', main='relayhost = nosuch.nx.test\n')
def relayhost_missing(c):
    sent(c, 'a@down.test')
    c.sh('postqueue -p')


@case('relayhost-forms', main='sender_dependent_relayhost_maps = inline:{ {a@x.test=remote.test:25} {b@x.test=[remote.test]} {c@x.test=[127.0.0.25]:smtp} {e@x.test=127.0.0.25} {f@x.test=down.test, remote.test} {g@x.test=[nosuch.nx.test]} {h@x.test=ok.test} {j@x.test=DUNNO} {@y.test=[down.test]} }\n')
def relayhost_forms(c):
    for who in 'abcefghj':
        c.send('z@else.test', sender=f'{who}@x.test')
    c.send('z@else.test', sender='k@y.test')
    c.log()


@case('transport-forms', main='transport_maps = inline:{ {a.test=smtp:[127.0.0.25]:25} {b.test=smtp:} {c.test=:[127.0.0.25]} {d.test=error:5.7.1 not here} {e.test=error:no code} {f.test=retry:4.3.2 later} {g.test=discard:because} {h.test=local:} {i.test=nosuch:x} {j.test=smtp:remote.test:smtp} {u@k.test=discard:user} {k.test=smtp:[127.0.0.25]} {.l.test=discard:sub} {n.test=relay:[127.0.0.25]} {o.test=lmtp:inet:127.0.0.26:24} {p.test=lmtp:unix:/nosuch} {r.test=error} {s.test=discard} {t.test=error:} {w.test=retry:} {y.test=error:4.5.6 soft} {z.test=retry:5.5.6 hard} }\n')
def transport_forms(c):
    sent(c, *(f'bob@{x}.test' for x in 'abcdefghijknoprstwyz'), 'u@k.test', 'u+x@k.test', 'a@l.test', 'a@s.l.test')
    c.sh('postqueue -p')
    c.sh('for d in d e f r t w y z; do echo "Subject: x" | sendmail bob@$d.test; done')
    c.log()


@case('tls-missing', main='smtp_tls_security_level = encrypt\n')
def tls_missing(c):
    sent(c, 'a@ok.test', 'a@plain.test')


@case('tls-verify', main='smtp_tls_security_level = may\nsmtp_tls_policy_maps = inline:{ {ok.test=secure} {remote.test=none} {plain.test=encrypt} {helo.test=bogus} {prefs.test=fingerprint} {[127.0.0.25]=may protocols=x} }\n')
def tls_verify(c):
    sent(c, 'a@ok.test', 'a@remote.test', 'a@plain.test', 'a@helo.test', 'a@prefs.test', 'a@[127.0.0.25]')


@case('size-limit', main='smtp_discard_ehlo_keyword_address_maps = inline:{ {127.0.0.27=silent-discard, ehlo} }\nsmtp_skip_quit_response = no\nsmtp_cname_overrides_servername = yes\n')
def size_limit(c):
    sent(c, 'a@cname.test')
    c.far()


@case('delivery-filters', main='smtp_delivery_status_filter = inline:{ {5.1.1=4.1.1 try again} } regexp:/etc/postfix/f\nlocal_delivery_status_filter = regexp:/etc/postfix/l\nsmtp_reply_filter = regexp:/etc/postfix/r\n',
      files={'/etc/postfix/f': '/^4\\.(.*)/ 5.$1\n/^2.0.0 (.*)/ 2.1.0 ok: $1\n', '/etc/postfix/l': '/^2.0.0 delivered to maildir/ 2.5.5 in the box\n', '/etc/postfix/r': '/^550 refused/ 450 changed\n'})
def delivery_filters(c):
    sent(c, 'r550-5.1.1@ok.test', 'r450-4.2.1@ok.test', 'a@ok.test', 'bob@golden.test', 'r550@ok.test')
