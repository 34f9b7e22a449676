"""Lines of commands reach the log through the running master, with the sender's own process id, whoever runs them; the
log file keeps its owner and mode; nobody writes in the name of a server; a FIFO without a reader holds up nothing."""
import os, pwd, re, socket, stat, subprocess
from instance import LIMIT, Instance, expect, expect_match, tool

with Instance(main='maillog_file_permissions = 0640\nmaillog_file_rotate_suffix = old-%Y\n') as mail:
    expect(stat.S_IMODE(os.stat(mail.log_file).st_mode), 0o640, 'mode of the log file')
    relay = f'{mail.spool}/public/postlog'
    expect(stat.S_ISSOCK(os.stat(relay).st_mode), True, 'the socket for the lines of commands')

    def postlog(*words, **more):
        with subprocess.Popen([tool('postlog'), '-c', mail.config, *words], stderr=subprocess.PIPE, **more) as command:
            expect(command.wait(), 0, 'exit status of postlog')
            return command.pid
    pid = postlog('-t', 'postfix/mine', '-p', 'warn', 'said by a script')
    mail.wait_for_log(rf'postfix/mine\[{pid}\]: warning: said by a script')

    # An ordinary user who reaches the socket (as a program of the setgid group does) may not speak as a server.
    if os.geteuid() == 0:
        os.chmod(mail.folder, 0o755)
        user = pwd.getpwnam('nobody')
        group = os.stat(f'{mail.spool}/public').st_gid
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setgid(group)
            os.setuid(user.pw_uid)
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            s.connect(relay)
            for line in (b'1postfix/smtpd\0forged line one', b'2postfix/postqueue\0honest line\nwith more', b'9postfix/x\0bad level',
                         b'no line at all', b'0' + b't' * 200 + b'\0long tag', b'1cron\0of a script'):
                s.send(line)
            os._exit(0)
        expect(os.waitpid(child, 0)[1], 0, 'the user who speaks')
        mail.wait_for_log(rf'postfix/postlog\[\d+\]: uid={user.pw_uid} as postfix/smtpd: forged line one')
        mail.wait_for_log(r'postfix/postqueue\[\d+\]: warning: honest line\?with more')
        mail.wait_for_log(r'cron\[\d+\]: of a script')
        text = open(mail.log_file).read()
        for wrong in ('bad level', 'no line at all', 'long tag'):
            expect(wrong in text, False, wrong)

    # Set aside, the next line of a command is in the new file, which has the mode that is asked for.
    run = subprocess.run([tool('postfix'), '-c', mail.config, 'logrotate'], capture_output=True, text=True)
    expect(run.returncode, 0, f'logrotate: {run.stderr}')
    postlog('after the rotation')
    mail.log_offset = 0
    mail.wait_for_log(r'after the rotation')
    expect(stat.S_IMODE(os.stat(mail.log_file).st_mode), 0o640, 'mode of the new log file')
    rotated = [name for name in os.listdir(mail.folder) if re.fullmatch(r'mail\.log\.old-\d{4}\.gz', name)]
    expect(len(rotated), 1, f'files set aside in {os.listdir(mail.folder)}')
    again = subprocess.run([tool('postfix'), '-c', mail.config, 'logrotate'], capture_output=True, text=True)
    # The name without .gz is free again; gzip does not write over what is there.
    expect(again.returncode, 1, 'a second rotation under the same name')

with Instance(start=False) as mail:
    # A FIFO that nobody reads: start, reload and stop come back, and a reader that comes later finds the lines.
    os.mkfifo(mail.log_file, 0o600)
    for word in ('start', 'reload', 'status', 'stop'):
        done = subprocess.run([tool('postfix'), '-c', mail.config, word], capture_output=True, text=True, timeout=LIMIT)
        expect(done.returncode, 0, f'postfix {word}: {done.stderr}')

# A log that cannot be opened: said by the check and by the start, with its line, since no log will tell.
for settings, reason in (('maillog_file_prefixes = /nowhere\n', r'begins with none of maillog_file_prefixes \(/nowhere\)'),
                         ('maillog_file = /var/tmp/no such folder/mail.log\n', r'/var/tmp/no such folder: No such file or directory')):
    with Instance(start=False, main=settings) as mail:
        for word in ('check', 'start'):
            done = subprocess.run([tool('postfix'), '-c', mail.config, word], capture_output=True, text=True, timeout=LIMIT)
            expect(done.returncode, 1, f'postfix {word}: {done.stderr}')
            expect_match(rf'^\S+ fatal: {mail.config}/main\.cf, line \d+: maillog_file = .*{reason}$', done.stderr, f'the line behind postfix {word}')

with Instance(start=False) as mail:
    # A folder in its place: only the master finds out, and tells whoever starts it.
    os.mkdir(mail.log_file)
    done = subprocess.run([tool('postfix'), '-c', mail.config, 'start'], capture_output=True, text=True, timeout=LIMIT)
    expect(done.returncode, 1, f'postfix start: {done.stderr}')
    expect_match(r'^postfix: fatal: maillog_file: .*Is a directory$', done.stderr, 'the reason')
