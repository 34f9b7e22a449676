"""sendmail(1), postdrop and pickup: what comes in on the command line"""
MAIN = 'virtual_alias_maps = inline:{ {list@golden.test=bob@golden.test, carol@golden.test} }\n'


def give(c, arguments, text, user='alice', quiet=False):
    c.sh(f'sendmail {arguments}', user=user, input=text)
    c.settle()


@case('recipients', main=MAIN)
def recipients(c):
    for arguments in ('bob', '-t', '-t bob', 'bob carol', 'bob,carol', '"bob, carol"', '"Bob Example <bob>"', '"(comment) bob"', "'\"bob\"'", '"<bob>" carol@golden.test', '-- -bob', 'bob@', '@golden.test', 'list', '"friends: bob, carol;"', '"|cat"', '/tmp/x', '"a b"', '""', '"bob  "'):
        give(c, arguments, 'To: dave\nSubject: x\n\ntext\n')
    c.log()
    c.mail('bob', 'dave')


@case('headers', main=MAIN)
def headers(c):
    for text in ('To: bob\nCc: carol (c)\nBcc: dave, erin\nSubject: x\n\ntext\n', 'Resent-To: bob\nResent-From: alice\nTo: carol\nBcc: dave\n\ntext\n', 'Resent-To: bob\nResent-Bcc: dave\nTo: carol\nSubject: x\n\n', 'to: bob\nTO: carol\n\n',
                 'To: "Bob, E." <bob>, undisclosed:;, carol@golden.test (Carol)\n\n', 'To:\n bob,\n\tcarol\n\ntext\n', 'Apparently-To: bob\n\n', 'To: bob\nTo: bob\nCc: bob\n\n', 'Subject: none\n\n', 'Bcc: bob\n\nBcc: carol\n', 'To: bob\nErrors-To: carol\nReturn-Path: <dave>\nReturn-Receipt-To: erin\n\n',
                 'To : bob\nSubject : y\n\n', 'From: Other <other@else.test>\nSender: s\nTo: bob\nMessage-Id: <own@x>\nDate: today\n\nt\n', 'Content-Length: 99\nStatus: RO\nX-Original-To: a\nDelivered-To: b\nTo: bob\n\nt\n', 'From: \nTo: bob\n\nt\n', 'To: bob\nno header\n\nt\n', 'To: bob\n: empty\n\nt\n',
                 'From alice Mon\n>From x\nTo: bob\n\n', '\nTo: bob\n\n', 'To: bob'):
        give(c, '-t', text)
    c.log()
    c.mail('bob', 'carol', 'dave')


@case('input', main=MAIN)
def input_forms(c):
    for arguments, text in (('bob', 'line\n.\nafter\n'), ('-i bob', 'line\n.\nafter\n'), ('-oi bob', '.\n'), ('bob', '.\n'), ('bob', ''), ('bob', '\n'), ('bob', 'no newline'), ('bob', 'Subject: x\r\n\r\nline\r\n.\r\nafter\r\n'), ('-i bob', 'Subject: x\r\n\r\nmixed\n\r\nline\r\n..\r\n'), ('bob', 'Subject: x\n\n..two\n.one\n'),
                            ('bob', b'Subject: nul\n\na\0b\n\0\n'), ('bob', b'Subject: 8\xe9\n\n\xe4\n'), ('bob', 'Subject: ' + 'x' * 3000 + '\n\n' + 'y' * 5000 + '\n'), ('bob', 'X: ' + 'a b ' * 700 + '\n\n'), ('bob', 'Subject: a\n b\n\tc\n\n'), ('bob', ' leading blank\nSubject: x\n\nt\n'), ('bob', 'From alice\nSubject: x\n\nFrom body\n'),
                            ('bob', 'lone\rcr\n\rx\n'), ('bob', '\r\n\r\n'), ('bob', 'Subject: x\n \nbody?\n')):
        give(c, arguments, text)
    c.log()
    c.mail('bob')


@case('options', main=MAIN)
def options(c):
    text = 'Subject: x\n\ntext\n'
    for arguments in ('-f bob carol', '-f "" carol', '-f "<>" carol', '-f "<a@b.test>" carol', '-fa@b.test carol', '-r r@b.test carol', '-F "Own Name" carol', '-F "Nasty, \\"Name\\" (x)" carol', '-F "" carol', '-FJoined carol', '-f "a b" carol', '-f "Full <f@b.test>" carol', '-f "a, b" carol',
                      '-N never carol', '-N success,delay,failure carol', '-N wrong carol', '-N success,never carol', '-R hdrs carol', '-R full carol', '-R x carol', '-V env carol', '-V "e v+=" carol', '-B 8BITMIME carol', '-B 7BIT carol', '-B x carol', '-O Foo=bar carol', '-G carol', '-h 5 carol', '-L label carol', '-C /etc/postfix carol', '-o7 carol',
                      '-om carol', '-oem carol', '-x carol', '-U carol', '-p smtp carol', '-X /tmp/log carol', '-Am carol', '-Ac carol', '-bm carol', '-bz carol', '-bd carol', '-ba carol', '-q5 carol', '-v carol', '-Z carol', '-i -t -f bob', '-bm', '', '-bi extra', '-em carol', '-n carol'):
        give(c, arguments, text)
    c.log()
    c.mail('carol')


@case('names', main=MAIN)
def names(c):
    for environment in ('NAME="Env Name"', 'NAME=', 'NAME="\u00fcml"', 'LOGNAME=bob', 'USER=carol', 'MAIL_CONFIG=/tmp', 'TZ=Asia/Tokyo', 'POSTLOG_SERVICE=x'):
        c.sh(f'{environment} sendmail bob', user='alice', input='Subject: x\n\ntext\n')
        c.settle()
    c.sh('sendmail bob', input='Subject: from root\n\n')
    c.sh('sendmail -f someone@else.test bob', input='Subject: from root\n\n')
    c.log()
    c.mail('bob')


@case('limits', main='message_size_limit = 2000\nauthorized_submit_users = !carol, static:all\nheader_size_limit = 300\nline_length_limit = 500\n')
def limits(c):
    give(c, 'bob', 'Subject: x\n\n' + 'x' * 3000 + '\n')
    give(c, 'bob', 'Subject: x\n\n', user='carol')
    give(c, 'bob', 'Subject: x\nX-Long: ' + 'y ' * 200 + '\n\n' + 'z' * 600 + '\n')
    c.sh('mailq', user='carol')
    c.log()
    c.mail('bob')


@case('verify', main=MAIN, files={'/etc/aliases': 'postmaster: root\nroot: alice\nal: carol, x@ok.test\n', '/home/dave/.forward': 'x@ok.test\n'})
def verify(c):
    give(c, '-bv bob list al dave nosuch x@nx.nosuch.test r550-5.1.1@ok.test a@down.test', '')
    c.wait_for('delivery status notification')
    c.log()
    c.mail('alice')


@case('down', main=MAIN)
def down(c):
    c.sh('postfix stop 2>/dev/null', show='postfix stop')
    give(c, 'bob', 'Subject: while down\n\n')
    c.sh('postqueue -p', user='alice')
    c.sh('postqueue -p | tail -3')
    c.sh('postfix start 2>/dev/null', show='postfix start')
    c.settle()
    c.log()
    c.mail('bob')


@case('cleaning', differs='no message-id line of mail that is refused', main='always_add_missing_headers = yes\nhopcount_limit = 3\nundisclosed_recipients_header = To: nobody\nmessage_drop_headers = bcc, x-secret\nmessage_strip_characters = \\0\\1\n')
def cleaning(c):
    for text in (b'Subject: x\nX-Secret: y\nBcc: carol\n\na\0b\1c\n', b'Received: a\nReceived: b\nReceived: c\nSubject: x\n\n', b'Received: a\nReceived: b\nReceived: c\nReceived: d\nSubject: x\n\n', b'Subject: x\nCc: friend\n\n'):
        give(c, 'bob', text)
    c.log()
    c.mail('bob')
