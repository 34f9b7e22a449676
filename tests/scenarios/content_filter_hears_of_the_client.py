"""With smtp_send_xforward_command the next server hears where a message came from, in the attributes that it announces and before each
message; that it does not like them is no reason to keep the mail."""
import re

from instance import FarServer, Instance, expect

EHLO = ('far.test', 'PIPELINING', '8BITMIME', 'XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT')


def forwarded(far):
    return [re.sub(r'(IDENT|PORT)=\w+', r'\1=…', line) for line in far.commands if line.startswith('XFORWARD')]


all_of_it, some, deaf, offended = FarServer(ehlo=EHLO), FarServer(ehlo=(*EHLO[:3], 'XFORWARD ADDR HELO')), FarServer(), FarServer(ehlo=EHLO, answers={'XFORWARD': '501 5.5.4 no'})
fars = {'all': all_of_it, 'some': some, 'deaf': deaf, 'offended': offended}
rows = ' '.join(f'{{ {name}.test = filter:[127.0.0.1]:{far.port} }}' for name, far in fars.items())
with Instance(main=f'transport_maps = inline:{{ {rows} }}\n',
              master='filter unix - - n - - smtp -o smtp_send_xforward_command=yes\n') as mail:
    for name, far in fars.items():
        mail.send(to=[f'b@{name}.test'])
        far.wait_for(1)
    session = ['XFORWARD PROTO=ESMTP HELO=client.test IDENT=… SOURCE=LOCAL']
    expect(forwarded(all_of_it), ['XFORWARD NAME=localhost ADDR=127.0.0.1 PORT=…'] + session, 'what is said')
    expect(forwarded(some), ['XFORWARD ADDR=127.0.0.1', 'XFORWARD HELO=client.test'], 'what is said to who wants little')
    expect(forwarded(deaf), [], 'what is said to who wants nothing')
    expect(len(offended.messages), 1, 'messages at who does not like it')
    ident = next(re.search(r'IDENT=(\w+)', line).group(1) for line in all_of_it.commands if 'IDENT' in line)
    mail.wait_for_log(rf'{ident}: to=<b@all\.test>, .*status=sent')

    mail.run('sendmail', 'b@all.test', input='Subject: local\n\nHello\n')
    all_of_it.wait_for(2)
    expect(forwarded(all_of_it)[2:], ['XFORWARD IDENT=… SOURCE=LOCAL'], 'what is said of a local message')
