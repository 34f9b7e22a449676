"""The queue's disk stops answering under traffic: from then on mail is refused with 4xx, and what was acknowledged before is there when the disk is back."""
import fcntl, os, re, shutil, smtplib, struct, subprocess, threading
from instance import FarServer, Instance, expect, skip, wait_until
from own_mounts import in_own_mount_namespace

in_own_mount_namespace()
EXT4_IOC_SHUTDOWN, WITHOUT_FLUSH = 0x8004587d, 2      # as a pulled plug: what was not synced is gone, everything answers EIO

far = FarServer(answers={'RCPT': '450 4.2.1 busy'})
with Instance(start=False, main=f'relayhost = [127.0.0.1]:{far.port}\n') as mail:
    image = f'{mail.folder}/disk'
    with open(image, 'wb') as f:
        f.truncate(400 << 20)
    os.makedirs(mail.spool)

    def mount():
        return subprocess.run(['mount', '-o', 'loop', image, mail.spool], capture_output=True).returncode == 0
    if not shutil.which('mkfs.ext4') or subprocess.run(['mkfs.ext4', '-q', '-F', image], capture_output=True).returncode or not mount():
        skip('no ext4 on a loop device here')
    mail.start()
    acknowledged, codes, is_over = [], [], threading.Event()

    def client(number):
        count = 0
        while not is_over.is_set():
            count += 1
            try:
                with mail.smtp(timeout=15) as s:
                    s.sendmail('a@remote.test', ['b@far.test'], f'Subject: m{number}x{count}\n\nx\n')
                acknowledged.append(f'm{number}x{count}')
            except smtplib.SMTPResponseException as refused:
                codes.append(refused.smtp_code)
            except smtplib.SMTPServerDisconnected:
                codes.append(421)
    clients = [threading.Thread(target=client, args=(n,)) for n in range(4)]
    for each in clients:
        each.start()
    wait_until(lambda: len(acknowledged) > 40, '40 messages')
    folder = os.open(mail.spool, os.O_RDONLY)
    try:
        fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack('I', WITHOUT_FLUSH))
    except OSError as error:
        is_over.set()
        skip(f'this ext4 cannot be shut down: {error}')
    finally:
        os.close(folder)
    wait_until(lambda: len(codes) >= 8, lambda: f'refusals; there are {codes}')
    is_over.set()
    for each in clients:
        each.join()
    expect(set(codes) <= {451, 452, 421}, True, f'the codes of the refusals {set(codes)}')
    mail.wait_for_log(r'(error|fatal|warning): .*(queue|log|sync|write).*Input/output error')

    # The disk is back after a repair and a restart of the machine.
    log = mail.log()
    pids = [int(pid) for pid in set(re.findall(r'postfix/master\[(\d+)\]: daemon started', log))]
    with open(f'/proc/{pids[0]}/task/{pids[0]}/children') as f:
        pids += [int(pid) for pid in f.read().split()]
    for pid in pids:
        os.kill(pid, 9)
    wait_until(lambda: subprocess.run(['umount', mail.spool], capture_output=True).returncode == 0, 'the end of all processes')
    expect(mount(), True, 'mounted again')
    far.answers.clear()
    mail.start()
    mail.run('postqueue', '-f')
    mail.wait_for_empty_queue()
    arrived = {re.search(rb'^Subject: (\w+)', m[2], re.M).group(1).decode() for m in far.messages}
    expect(sorted(set(acknowledged) - arrived), [], 'acknowledged messages that are lost')
