"""A message from the network lies in the recipients' Maildirs: one file each, private, with the headers of its way and its text unchanged."""
import os, stat
from instance import Instance, expect, expect_match

TEXT = 'From: <a@remote.test>\r\nTo: <alice@example.test>\r\nSubject: one for each\r\n\r\nHello\r\n\r\n.dot\r\nfrom below\r\n'

with Instance() as mail:
    mail.send('a@remote.test', ['alice@example.test', 'bob@example.test'], TEXT)
    for user in ('alice', 'bob'):
        message, = mail.wait_for_mail(user)
        header, body = message.split('\n\n', 1)
        expect(body, TEXT.split('\r\n\r\n', 1)[1].replace('\r\n', '\n'), f'the body for {user}')
        expect_match(rf'\AReturn-Path: <a@remote.test>\nX-Original-To: {user}@example.test\nDelivered-To: {user}@example.test\n'
                     r'Received: from client.test \(localhost \[127.0.0.1\]\)\n\tby mail.example.test \(Postfix\) with ESMTP id (\w+)[\n;]', header, 'the headers')
        expect_match(r'^Message-Id: <\d+\.\w+@mail\.example\.test>$', header, 'the completed header')
        new = os.path.join(mail.vmail, user, 'new')
        name, = os.listdir(new)
        info = os.stat(os.path.join(new, name))
        expect(stat.S_IMODE(info.st_mode), 0o600, 'the mode')
        expect(os.listdir(os.path.join(mail.vmail, user, 'tmp')), [], 'what is left in tmp')
    mail.wait_for_log(r'status=sent \(delivered to maildir\)', 2)
    mail.wait_for_log(r'qmgr\[\d+\]: \w+: removed$')
    mail.wait_for_empty_queue()
