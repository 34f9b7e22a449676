"""virtual(8): mailboxes, owners, trouble"""
VIRTUAL = '''virtual_mailbox_domains = vm.test
virtual_mailbox_base = /srv/vmail
virtual_mailbox_maps = inline:{ {a@vm.test=vm/a/} {b@vm.test=vm/b} {c@vm.test=deep/er/c/} {d@vm.test=deep/er/d} {e@vm.test=/e/} {up@vm.test=UP/x/} {@catch.test=all/} {x+y@vm.test=xy/} {n@vm.test=nest/a/b/c} }
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
recipient_delimiter = +
'''


@case('forms', main=VIRTUAL.replace('= vm.test', '= vm.test, catch.test'))
def forms(c):
    c.send('a@vm.test')
    c.settle()
    for to in ('b@vm.test', 'c@vm.test', 'd@vm.test', 'e@vm.test', 'UP@vm.test', 'any@catch.test', 'a+ext@vm.test', 'x+y@vm.test', 'x+z@vm.test', 'n@vm.test', '"a"@vm.test', 'nobody@vm.test'):
        c.send(to, body='From x')
    c.log()
    c.sh('cd /srv/vmail; find . -type d -printf "%p %M %u:%g\\n" | sort; find . -type f ! -path "*new*" -printf "%p %M %u:%g\\n" | sort')
    c.mail('a', folder='/srv/vmail/vm/a')
    c.cat('/srv/vmail/vm/b')
    c.mail('all', folder='/srv/vmail/all')


@case('both-at-once', main=VIRTUAL.replace('= vm.test', '= vm.test, catch.test'))
def both_at_once(c):
    c.send(['a@vm.test', 'b@vm.test', 'c@vm.test', 'd@vm.test', 'n@vm.test'])
    c.log()
    c.sh('cd /srv/vmail; find . -type d -printf "%p %M %u:%g\\n" | sort')


@case('owners', main=VIRTUAL + 'virtual_minimum_uid = 3005\nvirtual_uid_maps = inline:{ {a@vm.test=3006} {b@vm.test=3001} {c@vm.test=x} {e@vm.test=0} {d@vm.test=3007} }\nvirtual_gid_maps = inline:{ {a@vm.test=3006} {b@vm.test=3006} {c@vm.test=5000} {e@vm.test=5000} }\n')
def owners(c):
    c.sh('chmod 777 /srv/vmail', show='chmod')
    for to in 'abcdeu':
        c.send(f'{to if to != "u" else "up"}@vm.test')
    c.log()
    c.sh('cd /srv/vmail; find . -type d -printf "%p %M %u:%g\\n" | sort')
    c.sh('postqueue -p')


@case('trouble', main=VIRTUAL)
def trouble(c):
    c.sh('cd /srv/vmail; mkdir vm deep; chmod 555 deep; chown vmail vm; mkdir vm/b; touch vm/a UP; ln -s /nowhere e', show='traps')
    for to in ('a', 'b', 'c', 'd', 'e', 'up'):
        c.send(f'{to}@vm.test')
    c.log()
    c.sh('postqueue -p')


@case('limit', main=VIRTUAL + 'virtual_mailbox_limit = 3000\nmessage_size_limit = 2900\n')
def limit(c):
    for _ in range(3):
        c.send('b@vm.test', body='\r\n'.join(['x' * 60] * 20))
        c.settle()
    c.log()
    c.far()


@case('limit-too-small', differs='what fits is delivered', main=VIRTUAL + 'virtual_mailbox_limit = 3000\n')
def limit_too_small(c):
    c.send('a@vm.test')
    c.wait_for('fatal: |status=')
    c.log()


@case('tables-fail', main=VIRTUAL + 'virtual_uid_maps = fail:x\n')
def tables_fail(c):
    c.send('a@vm.test')
    c.log()


@case('no-uid', main='virtual_mailbox_domains = vm.test\nvirtual_mailbox_base = /srv/vmail\nvirtual_mailbox_maps = inline:{ {a@vm.test=vm/a/} }\n')
def no_uid(c):
    c.send('a@vm.test')
    c.log()


@case('no-maps', main='virtual_mailbox_domains = vm.test\nvirtual_mailbox_base = /srv/vmail\nvirtual_uid_maps = static:5000\nvirtual_gid_maps = static:5000\n')
def no_maps(c):
    c.send('a@vm.test')
    c.log()


@case('through-local', main='virtual_mailbox_domains = vm.test\nvirtual_transport = local\nlocal_recipient_maps =\n')
def through_local(c):
    c.send(['bob@vm.test', 'nosuch@vm.test'])
    c.log()
    c.mail('bob')
