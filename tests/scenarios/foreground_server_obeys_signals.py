"""postfix start-fg stays in the foreground with its log on standard output when asked, and ends at SIGTERM."""
import signal, subprocess
from instance import Dialogue, Instance, expect, expect_match, tool, wait_until

with Instance(start=False, main='maillog_file = /dev/stdout\n') as mail:
    server = subprocess.Popen([tool('postfix'), '-c', mail.config, 'start-fg'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = iter(server.stdout.readline, '')
    said = next(line for line in lines if 'daemon started -- version' in line)
    mail.send()
    mail.wait_for_mail('alice')
    server.send_signal(signal.SIGTERM)
    rest = ''.join(lines)
    expect(server.wait(), 0, 'the exit status')
    expect_match(r'^\w{3} +\d+ \d\d:\d\d:\d\d mail postfix/virtual\[\d+\]: \w+: to=<alice@example\.test>.*status=sent', rest, 'the log')
