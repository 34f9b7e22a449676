"""local(8): aliases, .forward files, commands, mailboxes"""
DELIMITER = 'recipient_delimiter = +\n'
HOME_BOX = 'home_mailbox =\n'


def aliases(text, **more):
    return {'/etc/aliases': 'postmaster: root\nroot: alice\n' + text}


def send_all(c, names, **more):
    for name in names:
        c.send(name if '@' in name else f'{name}@golden.test', **more)
    c.log()


@case('alias-sides', main=DELIMITER, files=aliases(
    'list: bob, carol,\n  dave\nnull: /dev/null\nremote: x@ok.test\nnest: list, "erin"\nblanks:    bob     carol\nFullname: Bob Example <bob>, (comment) carol\nquoted: "bob", "nobody here"@ok.test\n'
    'group: friends: bob, carol;\nempty:\nself: self\nselfup: SELFUP, bob\nback: \\bob\nbackalias: \\list\nbad2: "bob\nfile: /tmp/file\nrel: ./x\ntilde: ~bob\n'
    'ext+special: bob\next: carol\nplus+: bob\n@golden.test: bob\ndup: bob, bob, BOB\nlocalhost: bob@localhost, carol@mail.golden.test\npct: x%ok.test\n'))
def alias_sides(c):
    send_all(c, 'list null remote nest blanks fullname quoted group empty self selfup back backalias bad2 file rel tilde ext+special ext+other ext plus+ plus dup localhost pct nobody'.split())
    c.mail('bob')
    c.cat('/tmp/file')
    c.sh('postqueue -p')


@case('alias-commands', main=DELIMITER, files=aliases(
    ''.join(f'exit{n}: "|exit {n}"\n' for n in (*range(0, 2), *range(64, 79), 99, 127)) + 'said: "|echo out; echo err >&2; exit 67"\nstatus: "|echo 5.1.6 moved; exit 67"\nstatus4: "|echo 4.2.2 full; exit 67"\n'
    'long: "|seq 200; exit 1"\nnonascii: "|printf \'a\\\\351\\\\001b\'; exit 1"\nkilled: "|kill -9 $$"\nnone: "|/no/such/cmd"\n'
    'denied: "|/etc/passwd"\nblank: "|cat >/tmp/blank"\nnocat: "|exit 0"\nmeta: "|cat >/tmp/meta; true"\n'))
def alias_commands(c):
    send_all(c, [*(f'exit{n}' for n in (*range(0, 2), *range(64, 79), 99, 127)), 'said', 'status', 'status4', 'long', 'nonascii', 'killed', 'none', 'denied', 'blank', 'nocat', 'meta'])
    c.cat('/tmp/blank')


@case('alias-environment', main=DELIMITER + 'export_environment = TZ MAIL_CONFIG LANG FOO=bar\n', files=aliases('env: "|env | sort >/tmp/env; id -un >>/tmp/env; pwd >>/tmp/env"\nowner-env: bob\n'))
def alias_environment(c):
    c.send('env+Ext-X@golden.test', sender='a b@remote.test' if False else 'sender+x@remote.test')
    c.log()
    c.sh('grep -v ^_= /tmp/env')
    c.send('env@golden.test', sender='', source='127.0.0.1')
    c.settle()
    c.sh('grep -v ^_= /tmp/env')


@case('alias-includes', differs='a list that is not there waits; one that names itself or nobody is told of', files=aliases(
    'one: :include:/etc/inc1\nmissing: :include:/etc/nosuch\nnested: :include:/etc/inc2\nloop: :include:/etc/inc3\ncmd: :include:/etc/inc4\nempty: :include:/etc/inc5\nrelative: :include:inc1\ndir: :include:/etc\n'
    'quotedinc: ":include:/etc/inc1"\nboth: bob, :include:/etc/inc1\nself: :include:/etc/inc6\nbad: :include:/etc/inc7\nfilein: :include:/etc/inc8\nunread: :include:/etc/inc9\n') | {
    '/etc/inc1': '# comment\nbob\ncarol, dave # no comment\n\n  erin\n', '/etc/inc2': ':include:/etc/inc1\n', '/etc/inc3': ':include:/etc/inc3\n', '/etc/inc4': '"|cat >/tmp/inc4"\n', '/etc/inc5': '# nothing\n',
    '/etc/inc6': 'self\nbob\n', '/etc/inc7': 'bob\n<carol\ndave\n', '/etc/inc8': '/tmp/filein\n', '/etc/inc9': 'bob\n'})
def alias_includes(c):
    c.sh('chmod 600 /etc/inc9', show='chmod inc9')
    send_all(c, 'one missing nested loop cmd empty relative dir quotedinc both self bad filein unread'.split())
    c.mail('bob', 'erin')
    c.sh('postqueue -p')


@case('alias-owners', files=aliases('list: bob, nosuch, x@ok.test\nowner-list: carol\nlist-request: dave\nowner-owner: postmaster\ninner: list, r550@ok.test\nowner-inner: erin\nexpo: r550@ok.test\nowner-expo: real@ok.test\n'))
def alias_owners(c):
    send_all(c, ['list', 'inner', 'expo', 'owner-list', 'list-request'])
    c.mail('carol', 'erin')
    c.far()


@case('alias-owner-plain', main='expand_owner_alias = no\nreset_owner_alias = yes\nowner_request_special = no\n', files=aliases('list: bob, r550@ok.test\nowner-list: carol\n'))
def alias_owner_plain(c):
    send_all(c, ['list'])
    c.far()
    c.mail('carol')


@case('alias-not-allowed', main='allow_mail_to_commands = forward\nallow_mail_to_files =\n', files=aliases('cmd: "|true"\nfile: /tmp/x\n') | {'/home/bob/.forward': '"|cat >/tmp/bob"\n', '/home/carol/.forward': '/home/carol/file\n'})
def alias_not_allowed(c):
    send_all(c, ['cmd', 'file', 'bob', 'carol'])
    c.files('/tmp')


@case('alias-tables', main='alias_maps = inline:{ {bob=carol} {carol="|cat >/tmp/carol"} } hash:/etc/aliases\n', files=aliases('bob: dave\ndave: erin\n'))
def alias_tables(c):
    send_all(c, ['bob', 'carol', 'dave'])
    c.files('/tmp')


@case('alias-fails', differs='the warning has the words of all other tables', main='alias_maps = fail:x\nlocal_recipient_maps =\n')
def alias_fails(c):
    send_all(c, ['bob'])


@case('forward-forms', main=DELIMITER, files={
    '/home/bob/.forward': '# comment\n\n\\bob, carol@golden.test\n"|cat >>/tmp/bob"\n', '/home/carol/.forward+x': 'dave\n', '/home/carol/.forward': '"/home/carol/archive"\n', '/home/dave/.forward': 'dave, erin\n',
    '/home/erin/.forward': ' \n\t\n', '/home/fwd/.forward': 'nosuch, x@ok.test\n', '/home/test/.forward': 'test+keep\n', '/home/user/.forward': '"|exit 75"\n', '/home/user2/.forward': ':include:/home/user2/inc\n',
    '/home/user2/inc': 'carol+x\n'})
def forward_forms(c):
    send_all(c, ['bob', 'carol', 'carol+x', 'carol+y', 'dave', 'erin', 'fwd', 'test', 'test+keep', 'user', 'user2'])
    c.cat('/tmp/bob')
    c.mail('erin')
    c.far()
    c.sh('postqueue -p')


@case('forward-commands', files={f'/home/{user}/.forward': f'"|{command}"\n' for user, command in {
    'bob': 'env | sort | grep -v ^_= >/tmp/bob', 'carol': 'echo no thanks; exit 77', 'dave': '/no/such', 'erin': 'exit 67', 'fwd': 'echo 5.7.1 never; exit 1', 'test': 'id -un; exit 1', 'user': 'pwd; exit 1'}.items()})
def forward_commands(c):
    send_all(c, ['bob', 'carol', 'dave', 'erin', 'fwd', 'test', 'user'])
    c.cat('/tmp/bob')


@case('forward-path', main='forward_path = /srv/forward/$user${recipient_delimiter}${extension}, /srv/forward/$user, $home/.f-$domain-$local\n' + DELIMITER, files={'/srv/forward/bob+x': 'carol\n', '/home/dave/.f-golden.test-dave': 'erin\n'})
def forward_path(c):
    c.sh('chown -R bob /srv/forward; ln -s /nowhere /srv/forward/erin; mkdir /srv/forward/fwd', show='links')
    send_all(c, ['bob+x', 'bob+y', 'dave', 'erin', 'fwd'])


@case('forward-rights', files={'/home/bob/.forward': 'carol\n', '/home/carol/.forward': 'dave\n', '/home/dave/.forward': 'erin\n', '/home/erin/.forward': 'fwd\n', '/home/fwd/.forward': 'test\n'})
def forward_rights(c):
    c.sh('cd /home; chmod 666 bob/.forward; chown user carol/.forward; chmod 000 dave/.forward; mv erin/.forward erin/f; ln -s f erin/.forward; chmod 700 fwd', show='rights')
    send_all(c, ['bob', 'carol', 'dave', 'erin', 'fwd'])


@case('mailbox-command', main=DELIMITER + 'mailbox_command = /bin/sh -c \'(echo "$0 $1 $2"; env | grep -v ^_= | sort; cat) >/tmp/mc.$USER; exit 0\' "$EXTENSION" "${DOMAIN}" $HOME-$SHELL-$LOGNAME-$ORIGINAL_RECIPIENT-$SENDER\n')
def mailbox_command(c):
    send_all(c, ['bob+e', 'carol'])
    c.cat('/tmp/mc.bob', '/tmp/mc.carol')
    c.send('bob+$(id);x`y@golden.test', sender='s;r$x@remote.test')
    c.log()
    c.cat('/tmp/mc.bob')


@case('mailbox-command-maps', main='mailbox_command = exit 75\nmailbox_command_maps = inline:{{bob=cat >/tmp/bob} {carol=echo no; exit 77}}\n')
def mailbox_command_maps(c):
    send_all(c, ['bob', 'carol', 'dave'])
    c.sh('postqueue -p')


@case('mailbox-commands-fail', main='mailbox_command = echo for $USER; exit ${EXTENSION}\nrecipient_delimiter = +\n')
def mailbox_commands_fail(c):
    send_all(c, [f'bob+{n}' for n in (0, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 1)])


@case('command-time-limit', main='command_time_limit = 1s\n', files=aliases('slow: "|sleep 30"\n'))
def command_time_limit(c):
    send_all(c, ['slow'])


@case('mbox-spool', main=HOME_BOX)
def mbox_spool(c):
    send_all(c, ['bob'], body='From here\r\n>From there\r\nFrom\r\nfrom x\r\n\r\n.', headers='Subject: x\r\nFrom: a\r\n\t(From b)\r\n')
    c.send('bob@golden.test', sender='', headers='From nowhere: x\r\nX: y\r\n', body='')
    c.settle()
    c.send('bob@golden.test', sender='"a b"@remote.test', headers='', body='no header')
    c.settle()
    c.cat('/var/mail/bob')
    c.sh('stat -c "%a %U %G" /var/mail/bob; ls -a /var/mail')


@case('mbox-trouble', main='home_mailbox =\nmail_spool_directory = /srv/spool\nmailbox_delivery_lock = dotlock\ndeliver_lock_attempts = 2\ndeliver_lock_delay = 1s\nstale_lock_time = 500s\n')
def mbox_trouble(c):
    send_all(c, ['bob'])
    c.sh('mkdir -m 1777 /srv/spool; mkdir /srv/spool/bob; ln -s /etc/passwd /srv/spool/carol; ln -s /srv/nowhere /srv/spool/dave; touch /srv/spool/erin /srv/spool/erin.lock; chown erin /srv/spool/erin; touch /srv/spool/fwd; chmod 600 /srv/spool/fwd; '
         'touch /srv/spool/test; ln /srv/spool/test /srv/spool/test2; chown test /srv/spool/test', show='traps')
    send_all(c, ['bob', 'carol', 'dave', 'erin', 'fwd', 'test', 'user'])
    c.sh('postqueue -p')


@case('spool-maildir', main='home_mailbox =\nmail_spool_directory = /srv/spool/\n')
def spool_maildir(c):
    c.sh('mkdir -m 1777 /srv/spool', show='mkdir')
    send_all(c, ['bob'])
    c.mail('bob', folder='/srv/spool/bob')
    c.files('/srv/spool/bob')


@case('home-mailboxes', main='home_mailbox = mail/$x.box\n')
def home_mailboxes(c):
    send_all(c, ['bob'])
    c.sh('mkdir /home/bob/mail /home/carol/mail; chown bob /home/bob/mail', show='mkdir')
    send_all(c, ['bob', 'carol', 'root'])
    c.sh('cd /home/bob/mail; ls -A; cat *')
    c.sh('postqueue -p')


@case('maildir-trouble')
def maildir_trouble(c):
    c.sh('mkdir -p /home/bob/Maildir/new; chown root /home/bob/Maildir; chmod 755 /home/bob/Maildir; touch /home/carol/Maildir; rmdir /home/dave; chmod 500 /home/erin; mkdir -p /home/fwd/Maildir/tmp; chown -R fwd /home/fwd; '
         'mkdir /srv/m; chown test /srv/m; ln -s /srv/m /home/test/Maildir', show='traps')
    send_all(c, ['bob', 'carol', 'dave', 'erin', 'fwd', 'test'])
    c.sh('postqueue -p')
    c.files('/home/fwd')


@case('luser-relay', main=DELIMITER + 'local_recipient_maps =\nluser_relay = caught+$user.${extension}.$domain.$local.${recipient_delimiter}@ok.test\n')
def luser_relay(c):
    send_all(c, ['nobody1', 'nobody1+e', 'bob'])
    c.far()


@case('luser-relay-local', main='local_recipient_maps =\nluser_relay = bob\n')
def luser_relay_local(c):
    send_all(c, ['nobody1', 'x y', '"x y"'])
    c.mail('bob')


@case('luser-relay-command', differs='mail does not vanish', main='local_recipient_maps =\nluser_relay = |cat >/tmp/x\n')
def luser_relay_command(c):
    send_all(c, ['nobody1'])


@case('fallback-transport', main='local_recipient_maps =\nfallback_transport = smtp:[127.0.0.25]\nfallback_transport_maps = inline:{{nobody2=error:5.1.6 gone away} {nobody3=discard:} {nobody4=smtp:[127.0.0.27]}}\n')
def fallback_transport(c):
    send_all(c, ['nobody1', 'nobody2', 'nobody3', 'nobody4', 'bob'])
    c.far()


@case('mailbox-transport', main='mailbox_transport = smtp:[127.0.0.25]\nmailbox_transport_maps = inline:{{bob=discard:} {carol=local:} {dave=error:5.2.1 disabled}}\n', files=aliases('list: dave, erin\n'))
def mailbox_transport(c):
    send_all(c, ['bob', 'dave', 'erin', 'list', 'nosuch'])
    c.far()


@case('mailbox-size-limit', main='home_mailbox = mbox\nmailbox_size_limit = 3000\nmessage_size_limit = 2900\nbounce_size_limit = 300\n')
def mailbox_size_limit(c):
    for _ in range(3):
        c.send('bob@golden.test', sender='carol@golden.test', body='\r\n'.join(['x' * 60] * 20))
        c.settle()
    c.log()
    c.sh('cat /home/carol/mbox | tail -40')


@case('mailbox-limit-too-small', differs='what fits is delivered', main='mailbox_size_limit = 3000\n')
def mailbox_limit_too_small(c):
    c.send('bob@golden.test')
    c.wait_for('fatal: |status=')
    c.sh('postqueue -p | tail -3')
    c.log()


@case('delivered-loops', main='local_recipient_maps =\n', files={'/home/bob/.forward': 'carol\n', '/home/carol/.forward': 'bob\n', '/home/dave/.forward': 'loop@loop.golden.test\n'})
def delivered_loops(c):
    send_all(c, ['bob'])
    c.send('erin@golden.test', headers='Delivered-To: erin@golden.test\r\nSubject: x\r\n')
    c.send('erin@golden.test', headers='Delivered-To: <Erin@Golden.test>\r\nSubject: x\r\n')
    c.send('erin@golden.test', headers='Subject: x\r\nDelivered-To:erin@mail.golden.test\r\n')
    c.send('fwd@golden.test', headers='Received: x\r\n' * 51)
    c.log()


@case('delivered-header', main='prepend_delivered_header = command, forward\nenable_original_recipient = no\n', files=aliases('list: bob, "|cat >/tmp/cmd", x@ok.test\n'))
def delivered_header(c):
    send_all(c, ['list'])
    c.mail('bob')
    c.cat('/tmp/cmd')
    c.far()


@case('recipient-forms', main=DELIMITER + 'local_recipient_maps =\n')
def recipient_forms(c):
    send_all(c, ['"bob"', 'BOB', 'Bob+Ext', 'bob+', '+x', '"bob "', 'bob@[127.0.0.1]', 'bob@localhost', 'bob@sub.golden.test', '"b@b"', '-bob', '/etc/passwd', '|true', '":include:/etc/passwd"', 'root', 'nobody', 'postmaster', 'MAILER-DAEMON', 'double-bounce'])
    c.mail('bob')
    c.sh('postqueue -p')


@case('home-relative', files={'/home/bob/.forward': '~/box, "~/quoted", \\bob\n', '/home/carol/.forward': '~dave/x\n', '/home/dave/.forward': '"|cat >~/x"\n'})
def home_relative(c):
    send_all(c, ['bob', 'carol', 'dave'])
    c.files('/home/bob')


@case('include-rights', differs='lists that are not as they should be wait', files=aliases(''.join(f'{n}: :include:/etc/inc-{n}\n' for n in ('world', 'link', 'dangling', 'users', 'closed', 'folder', 'group'))) | {f'/etc/inc-{n}': 'bob\n' for n in ('world', 'real', 'users', 'closed', 'group')})
def include_rights(c):
    c.sh('cd /etc; chmod 666 inc-world; ln -s inc-real inc-link; ln -s nowhere inc-dangling; chown carol inc-users; chmod 600 inc-users inc-closed; mkdir inc-folder; chmod 664 inc-group; echo "|cat >/tmp/users" >>inc-users', show='rights')
    send_all(c, ['world', 'link', 'dangling', 'users', 'closed', 'folder', 'group'])
    c.sh('rm -rf /etc/inc-*')


@case('mbox-links', main='home_mailbox =\nmail_spool_directory = /srv/spool\n')
def mbox_links(c):
    c.sh('mkdir /srv/spool /srv/real; chmod 755 /srv/spool; cd /srv/real; for u in bob carol dave; do touch $u; chown $u $u; done; chown dave /srv/real/dave; ln -s /srv/real/bob /srv/spool/bob; ln -s /srv/real/carol /srv/spool/carol; chown -h carol /srv/spool/carol; '
         'ln -s /etc/passwd /srv/spool/dave; touch /srv/spool/erin; chown erin /srv/spool/erin', show='links')
    send_all(c, ['bob', 'erin', 'fwd'])
    c.sh('wc -l /srv/real/* /srv/spool/erin')


@case('null-sender-owner', files=aliases('list: bob, x@ok.test, r550@ok.test\nowner-list: carol\nplain: bob, r550@ok.test\n'))
def null_sender_owner(c):
    send_all(c, ['list', 'plain'], sender='')
    c.mail('bob', 'carol')
    c.far()


@case('delimiters', main='recipient_delimiter = +-\nlocal_recipient_maps =\nluser_relay = $local${recipient_delimiter}x@ok.test\n', files={'/home/bob/.forward-a': 'carol\n', '/home/bob/.forward+a': 'dave\n', '/home/bob/.forward': 'erin\n'})
def delimiters(c):
    send_all(c, ['bob+a', 'bob-a', 'bob', 'bob+b', 'nobody1', 'nobody1-y', 'owner-bob', 'bob-request'])


@case('reserved', main='alias_maps =\nowner_request_special = yes\nrequire_home_directory = yes\n')
def reserved(c):
    c.sh('rmdir /home/bob', show='no home')
    send_all(c, ['bob', 'postmaster', 'MAILER-DAEMON', 'root'])
    c.sh('postqueue -p')
