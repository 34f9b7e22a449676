"""Reloads that come faster than the engine takes them, each with another log: what was asked for in between and taken back is
not used later."""
import contextlib, os, signal, socket
from instance import Instance, expect, free_port, text_of, wait_until

with Instance() as mail:
    records, second, third = (f'{mail.folder}/{name}' for name in ('second.json', 'second.log', 'third.log'))
    port = free_port()
    with open(f'{mail.config}/main.cf') as f:
        first_settings = f.read()

    def listens():
        with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port)):
            return True

    engine, master = mail.engine_pid(), mail.master_pid()
    os.kill(engine, signal.SIGSTOP)
    try:
        mail.set(f'maillog_file = {second}\nekiden_log_format = json\nekiden_log_file = {records}\n')
        os.kill(master, signal.SIGHUP)
        wait_until(lambda: os.path.exists(records), 'the files of the first reload')
        mail.write('main.cf', first_settings)
        with open(f'{mail.config}/master.cf', 'a') as f:
            f.write(f'127.0.0.1:{port} inet n - n - - smtpd\n')
        os.kill(master, signal.SIGHUP)
        wait_until(listens, 'the port of the second reload')
    finally:
        os.kill(engine, signal.SIGCONT)
    mail.wait_for_log('reload -- ')
    mail.send(to=['alice@example.test'])
    mail.wait_for_log(r'to=<alice@example\.test>, .*status=sent')

    mail.set(f'maillog_file = {third}\n')
    mail.run('postfix', 'reload')
    wait_until(lambda: 'reload -- ' in text_of(third), 'the word of the last reload')
    mail.send(to=['bob@example.test'])
    wait_until(lambda: 'to=<bob@example.test>' in text_of(third), 'the delivery in the last log')
    expect('to=<bob@' in text_of(records) + text_of(second) + mail.log(), False, 'the last delivery in other logs')
    expect('to=<alice@' in text_of(records) + text_of(second) + text_of(third), False, 'the first delivery in other logs')
