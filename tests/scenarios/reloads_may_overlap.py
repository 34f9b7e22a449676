"""Reloads that come faster than the engine answers them leave master and engine running, and the last settings count."""
import os, signal

from instance import Instance, expect, wait_until

with Instance() as mail:
    master, engine = mail.master_pid(), mail.engine_pid()
    for i in range(50):
        mail.set(f'smtpd_banner = $myhostname ESMTP number {i}\n')
        os.kill(master, signal.SIGHUP)
        with mail.dialogue():
            pass

    def greeting():
        with mail.dialogue() as d:
            return d.greeting == '220 mail.example.test ESMTP number 49'
    wait_until(greeting, 'the last settings')
    expect((mail.master_pid(), mail.engine_pid()), (master, engine), 'master and engine')
    mail.send()
    mail.wait_for_mail('alice')
