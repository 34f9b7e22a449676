"""Replies that are no replies, endless lines and endless replies end the conversation; the message waits and the server lives."""
from instance import FarServer, Instance, expect

GARBAGE = ['no code at all', '999 what', '25', '250' * 100000, '250-more\r\n' * 20000 + '250-still', '\0\0\0\0', '\x1b[2J250 \xff']
fars = [FarServer(greeting=g) for g in GARBAGE] + [FarServer(answers={'EHLO': g, 'HELO': g}) for g in GARBAGE] + [FarServer(answers={'MAIL': g}) for g in GARBAGE]
rows = ' '.join(f'{{ g{i}.test=smtp:[127.0.0.1]:{far.port} }}' for i, far in enumerate(fars))
with Instance(main=f'transport_maps = inline:{{ {rows} }}\nsmtp_helo_timeout = 1\nsmtp_mail_timeout = 1\nsmtp_rcpt_timeout = 1\nsmtp_data_init_timeout = 1\nsmtp_quit_timeout = 1\nsmtp_rset_timeout = 1\n') as mail:
    engine = mail.engine_pid()
    for i in range(len(fars)):
        mail.send('alice@example.test', [f'b@g{i}.test'])
    for i in range(len(fars)):
        mail.wait_for_log(rf'to=<b@g{i}\.test>, .*status=(deferred|bounced|sent)')
    expect([far.messages for far in fars if far.messages], [], 'messages that a garbage server has taken')
    expect(mail.engine_pid(), engine, 'the engine')
    mail.send()
    mail.wait_for_mail('alice')
