"""A list with more destinations than there may be at a time: everybody on it gets the message once; it can be held and the
system stopped in the middle of it."""
import re, subprocess
from instance import Instance, expect, skip, tool, wait_until
import os

if os.geteuid():
    skip('commands run as another user')
COUNT = 12000
with Instance(main='smtpd_recipient_limit = 20000\ntransport_maps = inline:{many.test=many: slow.test=slow:}\n'
                   'many_destination_recipient_limit = 1\nslow_destination_recipient_limit = 1\n',
              master='many unix - - n - - discard\nslow unix - n n - 1 pipe user=nobody argv=/bin/sleep 0.1\n') as mail:
    def send(to, count):
        subprocess.run([tool('smtp-source'), '-s', '1', '-m', '1', '-r', str(count), '-f', 'a@remote.test', '-t', to, f'127.0.0.1:{mail.port}'], check=True)

    send('member@many.test', COUNT)
    mail.wait_for_log(r'qmgr.* removed', limit=60)
    told = re.findall(r'/discard\[.* to=<(\w+)@many\.test>.*status=sent', mail.log())
    expect((len(told), len(set(told))), (COUNT, COUNT), 'members told, and different ones')

    send('member@slow.test', COUNT)
    mail.wait_for_log(r'/pipe\[.*status=sent')
    queue_id = mail.entries()[0]['queue_id']
    mail.run('postsuper', '-h', queue_id)
    # What is under way ends; then the message is nobody's but the operator's, with all who have not got it.
    held = mail.wait_for_entries(lambda entries: [e for e in entries if e['queue_name'] == 'hold'], 'the message on hold')
    done = len(re.findall(r'/pipe\[.*status=sent', mail.log()))
    expect(COUNT - 5 <= len(held[0]['recipients']) + done <= COUNT + 5, True, f'{len(held[0]["recipients"])} left and {done} done of {COUNT}')
    mail.run('postsuper', '-H', queue_id)
    mail.wait_for_log(r'/pipe\[.*status=sent', done + 3)
    mail.stop()
    done = len(re.findall(r'/pipe\[.*status=sent', mail.log()))
    expect(done < COUNT / 2, True, f'the stop waits for nobody in line; {done} of {COUNT} were served')
    mail.run('postsuper', '-d', 'ALL')
