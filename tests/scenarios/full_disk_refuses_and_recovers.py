"""When the queue's disk is full, mail is refused with 452 or 451, nothing that was acknowledged is lost, and it goes on by itself when there is room."""
import re, smtplib
from instance import FarServer, Instance, expect, wait_until
from own_mounts import fill, in_own_mount_namespace, mount_tmpfs

in_own_mount_namespace()
far = FarServer(answers={'RCPT': '450 4.2.1 busy'})
with Instance(start=False, main=f'relayhost = [127.0.0.1]:{far.port}\nmessage_size_limit = 2000000\nmaillog_file_prefixes = /var\n') as mail:
    mount_tmpfs(mail.spool, '200m')
    mail.start()

    def attempt(number):
        with mail.smtp() as s:
            s.ehlo()
            s.sendmail('a@remote.test', ['b@far.test'], f'Subject: {number}\n\n' + ('x' * 70 + '\n') * 5000)
    attempt('first')
    ballast = fill(mail.spool)
    accepted, codes = ['first'], set()
    for number in range(1, 400):
        try:
            attempt(number)
            accepted.append(str(number))
        except smtplib.SMTPResponseException as refused:
            codes.add(refused.smtp_code)
            if len(codes) and number % 10 == 0:
                break
        except smtplib.SMTPServerDisconnected:
            raise SystemExit('the server hung up on a full disk')
    expect(codes and codes <= {451, 452}, True, f'codes of the refusals {codes}')
    ballast.remove()

    def works():
        try:
            attempt('after')
            return True
        except smtplib.SMTPResponseException:
            return False
    wait_until(works, 'a message that is accepted after there is room')
    accepted.append('after')
    far.answers.clear()
    mail.run('postqueue', '-f')
    mail.wait_for_empty_queue()
    subjects = [re.search(rb'^Subject: (\w+)', m[2], re.M).group(1).decode() for m in far.messages]
    expect(sorted(subjects), sorted(accepted), 'what arrived')
