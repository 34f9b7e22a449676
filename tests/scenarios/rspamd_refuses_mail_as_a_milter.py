"""rspamd as a milter, on a TCP port: it hears client and content, refuses the message that every filter must refuse, and lets others
pass."""
import os, shutil, socket, subprocess, sys

from instance import MESSAGE, Instance, expect, free_port, skip, wait_until

CONFIG = '''\
options {{
  filters = "";
  pidfile = "{folder}/pid";
  tempdir = "{folder}";
  control_socket = "{folder}/control mode=0600";
  dns {{ nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; }}
  gtube_patterns = "all";
}}
logging {{ type = "console"; level = "warning"; }}
worker "rspamd_proxy" {{
  bind_socket = "127.0.0.1:{port}";
  milter = yes;
  count = 1;
  timeout = 10s;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
actions {{ reject = 15; add_header = 6; }}
'''
# The string that filters are tried with; put together here so that this file is not refused itself.
REFUSED = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-' + 'STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'


def is_listening(port):
    with socket.socket() as s:
        return s.connect_ex(('127.0.0.1', port)) == 0


def main():
    if not shutil.which('rspamd'):
        skip('rspamd is not installed')
    port = free_port()
    with Instance(f'smtpd_milters = inet:localhost:{port}\nmilter_default_action = tempfail\n', start=False) as mail:
        folder = os.path.join(mail.folder, 'rspamd')
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        with open(os.path.join(folder, 'config'), 'w') as f:
            f.write(CONFIG.format(folder=folder, port=port))
        rspamd = subprocess.Popen(['rspamd', '-f', '-i', '-c', os.path.join(folder, 'config')], stdout=sys.stderr, stderr=sys.stderr)
        try:
            wait_until(lambda: is_listening(port), 'rspamd', 60)
            mail.start()

            def reply_to(text):
                with mail.dialogue() as d:
                    d.say('EHLO client.test')
                    d.say('MAIL FROM:<a@remote.test>')
                    d.say('RCPT TO:<alice@example.test>')
                    d.say('DATA')
                    return d.say(MESSAGE.replace('\n', '\r\n') + text + '\r\n.')
            expect(reply_to(REFUSED), '554 5.7.1 Gtube pattern', 'the answer to what is refused')
            mail.wait_for_log(r'postfix/cleanup\[\d+\]: \w+: milter-reject: END-OF-MESSAGE from localhost\[127\.0\.0\.1\]: 5\.7\.1 Gtube pattern; '
                              r'from=<a@remote\.test> to=<alice@example\.test> proto=ESMTP helo=<client\.test>$')
            expect(reply_to('')[:13], '250 2.0.0 Ok:', 'the answer to other mail')
            mail.wait_for_mail('alice')
        finally:
            rspamd.terminate()
            rspamd.wait()


main()
