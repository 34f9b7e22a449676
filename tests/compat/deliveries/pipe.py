"""pipe(8): flags, macros, exit codes"""
SCRIPT = '''#!/bin/sh
# what came in, and an end as the next hop says
{ echo "args:$#"; for a; do echo "[$a]"; done; cat; } >>/tmp/out
case $NEXT in "") exit 0;; esac
'''


def service(name, words, user='vmail'):
    return f'{name} unix - n n - - pipe\n  {words}\n' if 'user=' in words else f'{name} unix - n n - - pipe\n  user={user} {words}\n'


ROUTES = 'inline:{{ {{one.test=one}} {{two.test=two:hop.example}} {{three.test=three}} {{four.test=four:[mx.host]:26}} {{five.test=five}} {{six.test=six}} {{seven.test=seven:a/b}} {{eight.test=eight}} }}'.replace('{{', '{').replace('}}', '}')
MAIN = f'transport_maps = {ROUTES}\nrecipient_delimiter = +\none_destination_recipient_limit = 1\nfive_destination_recipient_limit = 1\n'


@case('exit-codes', main='transport_maps = inline:{ ' + ' '.join(f'{{x{n}.test=ends:{n}}}' for n in (*range(0, 2), *range(64, 79), 126, 127, 255)) + ' }\n',
      master=service('ends', 'argv=/bin/sh -c {exit ${nexthop}}') + service('said', 'argv=/bin/sh -c {echo text; exit 1}'))
def exit_codes(c):
    for n in (*range(0, 2), *range(64, 79), 126, 127, 255):
        c.send(f'a@x{n}.test')
    c.log()
    c.far()
    c.sh('postqueue -p')


@case('said', main='transport_maps = inline:{ ' + ' '.join(f'{{s{n}.test=s{n}}}' for n in range(12)) + ' }\n', master=''.join(service(f's{n}', f'argv=/bin/sh -c {{{script}}}') for n, script in enumerate([
    'echo out; echo err >&2; exit 69', 'echo 5.7.9 text; exit 69', 'echo 4.7.9 text; exit 69', 'echo 5.7 text; exit 69', 'echo 5.7.9 text; exit 75', 'echo text; exit 0', 'exit 3', 'exit 4',
    'head -c 600 /dev/zero | tr \\\\0 y; exit 70', 'printf "a\\001\\377\\n\\nb"; exit 70', 'exec /nonexistent', 'printf "\\n \\n5.1.9 second line"; exit 70'])))
def said(c):
    for n in range(12):
        c.send(f'a@s{n}.test')
    c.log()
    c.far()


@case('macros', main=MAIN, files={'/etc/out.sh': SCRIPT}, master=service('one', 'flags=DRhu argv=/bin/sh /etc/out.sh s=${sender} r=${recipient} u=${user} e=${extension} d=${domain} sz=${size} o=${original_recipient} q=${queue_id} c=${client_address} m=${mailbox} n=${nexthop}')
      + service('two', 'flags=F argv=/bin/sh /etc/out.sh $sender $recipient -x $nexthop- ${client_helo} ${client_hostname} ${client_port} ${client_protocol} ${sasl_method} ${sasl_sender} ${sasl_username} end')
      + service('three', 'flags=Rq> argv=/bin/sh /etc/out.sh -f ${sender} -- ${recipient} ${user}')
      + service('four', 'flags=. null_sender= argv=/bin/sh /etc/out.sh -f ${sender} ${nexthop} $$ plain {a b} {${user} x}')
      + service('five', 'flags=OX argv=/bin/sh /etc/out.sh ${recipient}') + service('six', 'flags=BF eol=\\r\\n argv=/bin/sh /etc/out.sh ${recipient} last')
      + service('seven', 'flags=hqu directory=/tmp argv=/bin/sh /etc/out.sh ${nexthop} ${user?u} ${extension:none} ${unknown}')
      + service('eight', 'size=400 argv=/bin/sh /etc/out.sh ${recipient}'))
def macros(c):
    def shown(name):
        c.settle()
        c.sh(f'sed "s/^\\\\[q=.*/[q=]/; s/^\\\\[\\\\(sz=\\\\)[0-9]*\\\\]/[N]/; s/^\\\\[[0-9][0-9][0-9][0-9][0-9]\\\\]/[PORT]/" /tmp/out; rm -f /tmp/out', show=name)
    c.send('User+Ext@one.test', body='From x\r\n>From y\r\n..dot\r\n.')
    shown('one')
    c.send('B+c@One.test', sender='')
    shown('one, two recipients')
    c.send(['a@two.test', 'b c@two.test' if False else '"b c"@two.test'], sender='"o d"@remote.test', body='From x\r\n>From y\r\n..dot')
    shown('two')
    c.send('"a b"@three.test', sender='', body='From x')
    shown('three')
    c.send('U@four.test', sender='', body='..a\r\nb\r\n...')
    shown('four')
    c.send('U+v@five.test')
    shown('five')
    c.send('U@six.test', body='From x\r\n\r\n')
    shown('six')
    c.send('A B@seven.test' if False else '"A B+C"@SEVEN.test')
    shown('seven')
    c.send('a@eight.test', body='x' * 500)
    shown('eight')
    c.log()
    c.far()


@case('many-recipients', main=MAIN + 'one_destination_recipient_limit = 2\n', files={'/etc/out.sh': SCRIPT}, master=service('one', 'flags=q argv=/bin/sh /etc/out.sh ${recipient} -- ${user} ${mailbox}'))
def many_recipients(c):
    c.send(['a@one.test', 'b+x@one.test', 'c@one.test', 'a@one.test'])
    c.log()
    c.sh('cat /tmp/out | grep -v "^[RDM\\t]" | sort')


@case('environment', main=MAIN + 'export_environment = TZ FOO=b\\ c LANG=C\n', master=service('one', 'argv=/bin/sh -c {env | grep -v ^_= | sort >/tmp/out; id -un >>/tmp/out; pwd >>/tmp/out; umask >>/tmp/out}') + service('two', 'user=bob:vmail argv=/bin/sh -c {id -un >/tmp/two; id -gn >>/tmp/two; id -Gn >>/tmp/two}'))
def environment(c):
    c.send('a@one.test')
    c.send('a@two.test')
    c.log()
    c.cat('/tmp/out', '/tmp/two')


@case('time-limit', main=MAIN + 'one_time_limit = 1s\n', master=service('one', 'argv=/bin/sleep 30'))
def time_limit(c):
    c.send('a@one.test')
    c.wait_for('status=')
    c.log()


@case('no-reading', main=MAIN, master=service('one', 'argv=/bin/true') + service('two', 'argv=/bin/false'))
def no_reading(c):
    c.send('a@one.test', body='\r\n'.join(['x' * 900] * 200))
    c.send('a@two.test', body='\r\n'.join(['x' * 900] * 200))
    c.log()


@case('delivered-to', main=MAIN, files={'/etc/out.sh': SCRIPT}, master=service('one', 'flags=DRX argv=/bin/sh /etc/out.sh'))
def delivered_to(c):
    c.send('a@one.test', headers='Delivered-To: A@one.test\r\nSubject: x\r\n')
    c.send('b@one.test', headers='Subject: x\r\nDelivered-To: c@one.test\r\n')
    c.log()
    c.cat('/tmp/out')
