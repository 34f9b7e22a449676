"""postfix stop ends every process, finishes what is under way, and the next start scans nothing and loses nothing."""
import os
from instance import FarServer, Instance, expect, wait_until

far = FarServer(answers={'RCPT': '450 4.2.1 busy'})
with Instance(main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
    expect(mail.run('postfix', 'status').returncode, 0, 'the status of a running system')
    mail.wait_for_log(r'postfix-script\[\d+\]: the Postfix mail system is running: PID: %d' % mail.master_pid())
    with mail.smtp() as s:
        for i in range(200):
            s.sendmail('a@remote.test', ['b@far.test'], f'Subject: {i}\n\nx\n')
    mail.wait_for_entries(lambda q: len(q) == 200 and all(e['queue_name'] == 'deferred' for e in q), '200 deferred messages')
    idle = mail.dialogue()
    pids = [mail.master_pid(), *mail.children()]
    mail.stop()
    for pid in pids:
        wait_until(lambda: not os.path.exists(f'/proc/{pid}') or open(f'/proc/{pid}/stat').read().rsplit(')')[1].split()[0] == 'Z', f'the end of {pid}')
    idle.close()
    expect('checkpoint.clean' in os.listdir(f'{mail.spool}/log'), True, 'a clean checkpoint is there')
    expect(mail.run('postfix', 'status', check=False).returncode, 1, 'the status of a stopped system')
    expect(mail.run('postfix', 'stop', check=False).returncode, 1, 'a second stop')
    expect(len(mail.entries()), 200, 'messages while stopped')
    mail.start()
    expect(len(mail.entries()), 200, 'messages after the start')
    far.answers.clear()
    mail.run('postqueue', '-f')
    far.wait_for(200)
    mail.wait_for_empty_queue()
    expect(len({m[2] for m in far.messages}), 200, 'different messages at the far side')
