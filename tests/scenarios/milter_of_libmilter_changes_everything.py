"""A milter made with libmilter, as most are: hears the whole conversation, sets the macros it wants, and changes header, body, sender
and recipients of a small and of a large message."""
import os, subprocess, sys

from instance import Instance, expect, expect_match, skip, wait_until

PYTHON = '/usr/bin/python3'     # Debian's own, which sees Debian's modules
PROGRAM = r'''
import sys, Milter
class Own(Milter.Base):
    def connect(self, name, family, address):
        self.said = [f'connect {name} {address[0]} {self.getsymval("j")}']
        return Milter.CONTINUE
    def hello(self, name):
        self.said.append(f'hello {name}')
        return Milter.CONTINUE
    def envfrom(self, address, *more):
        self.said.append(f'from {address} {" ".join(more)}')
        self.size = 0
        return Milter.REJECT if 'refused' in address else Milter.CONTINUE
    def envrcpt(self, address, *more):
        self.said.append(f'rcpt {address} {self.getsymval("{rcpt_addr}")}')
        return Milter.CONTINUE
    def header(self, name, value):
        self.said.append(f'header {name}={value}')
        return Milter.CONTINUE
    def eoh(self):
        return Milter.CONTINUE
    def body(self, chunk):
        self.size += len(chunk)
        return Milter.CONTINUE
    def eom(self):
        self.said.append(f'eom {self.size} {self.getsymval("i") != None}')
        for line in self.said[-20:]:
            self.addheader('X-Said', line)
        self.chgheader('Subject', 1, 'changed')
        self.addheader('X-First', 'yes', 0)
        self.chgfrom('<new@remote.test>')
        self.addrcpt('<carol@example.test>')
        self.delrcpt('<alice@example.test>')
        if self.size < 1000:
            self.replacebody('new body\r\n')
        return Milter.ACCEPT
Milter.factory = Own
Milter.set_flags(Milter.ADDHDRS | Milter.CHGHDRS | Milter.CHGBODY | Milter.ADDRCPT | Milter.DELRCPT | Milter.CHGFROM)
Milter.runmilter('own', sys.argv[1], 30)
'''


def main():
    if subprocess.run([PYTHON, '-c', 'import Milter'], capture_output=True).returncode:
        skip('python3-milter is not installed')
    with Instance(start=False) as mail:
        program, socket = os.path.join(mail.folder, 'own.py'), os.path.join(mail.folder, 'own.sock')
        with open(program, 'w') as f:
            f.write(PROGRAM)
        mail.set(f'smtpd_milters = unix:{socket}\nmilter_default_action = tempfail\n')
        milter = subprocess.Popen([PYTHON, program, 'unix:' + socket], stdout=sys.stderr, stderr=sys.stderr, preexec_fn=lambda: os.umask(0) and None)
        try:
            wait_until(lambda: os.path.exists(socket), 'the milter')
            mail.start()
            with mail.dialogue() as d:
                d.say('EHLO client.test')
                expect(d.say('MAIL FROM:<refused@remote.test>'), '550 5.7.1 Command rejected', 'the sender that the milter refuses')
            mail.send()
            text = mail.wait_for_mail('carol')[0]
            expect_match(r'^X-First: yes$.*^Subject: changed$.*^X-Said: connect localhost 127\.0\.0\.1 mail\.example\.test\n.*^X-Said: hello client\.test\n'
                         r'.*^X-Said: from <a@remote\.test> .*^X-Said: rcpt <alice@example\.test> alice@example\.test\n.*^X-Said: header Subject=test\n'
                         r'.*^X-Said: eom 7 True\n\nnew body\n\Z', text, 'the changed message')
            expect_match(r'^Return-Path: <new@remote\.test>$', text, 'the changed sender')
            large = 'line of the large message\n' * 60_000
            mail.send(message='Subject: large\n\n' + large)
            text = mail.wait_for_mail('carol', 2)
            text = next(one for one in text if len(one) > 10_000)
            expect_match(rf'^Subject: changed$.*^X-Said: eom {len(large) + large.count(chr(10))} True$', text[:5000], 'the header of the large message')
            expect(text.split('\n\n', 1)[1], large, 'the body of the large message')
            expect(mail.mailbox('alice'), [], 'the mailbox of the recipient that was taken away')
        finally:
            milter.terminate()
            milter.wait()


main()
