"""-o entries of master.cf hold for the services that are no processes of their own here too: rewriting, queue, bounces."""
import os, re

from instance import FarServer, Instance, expect, expect_match, wait_until

far = FarServer(answers={'RCPT TO:<no@': '550 5.1.1 nobody'})
with Instance(start=False, main=f'relayhost = [127.0.0.1]:{far.port}\nmynetworks = 127.0.0.0/8\nappend_dot_mydomain = no\n') as mail:
    path = os.path.join(mail.config, 'master.cf')
    with open(path) as f:
        text = f.read()
    for name, entries in (('rewrite', 'append_dot_mydomain=yes'), ('qmgr', 'defer_transports=relay'), ('bounce', 'bounce_size_limit=200')):
        text = re.sub(rf'(?m)^({name} +unix .*)$', rf'\1\n  -o {entries}\n  -o syslog_name=own/{name}', text)
    with open(path, 'w') as f:
        f.write(text)
    mail.set('transport_maps = inline:{waits.test=relay:}\n')
    mail.start()
    mail.send(sender='a@far.test', to=['x@host'])
    mail.wait_for_log(r'to=<x@host\.example\.test>, .*status=sent')
    mail.send(sender='a@far.test', to=['x@waits.test'])
    mail.wait_for_log(r'to=<x@waits\.test>, .*status=deferred \(deferred transport\)')
    mail.wait_for_log(r'own/qmgr/qmgr\[\d+\]: \w+: from=<a@far\.test>')
    with mail.smtp() as s:
        s.sendmail('a@far.test', ['no@far.test'], 'Subject: long\n\n' + 'words words words\n' * 100)
    wait_until(lambda: len(far.messages) == 2, 'the report')
    expect_match(r'Content-Type: text/rfc822-headers', far.messages[1][2].decode(), 'a report without the long body')
    expect('words words' in far.messages[1][2].decode(), False, 'the long body')
