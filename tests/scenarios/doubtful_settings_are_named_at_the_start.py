"""Settings that can work in part start with a warning that names file and line where somebody watches; what starts the system
unseen hears nothing of it."""
import os, pty, re, subprocess, threading
from instance import LIMIT, Instance, expect, expect_match, tool

DOUBTS = {
    'smtpd_recipient_restrictions = permit_mynetworks, rejekt': r'rejekt',
    'smtpd_client_restrictions = check_client_access': r'check_client_access',
    'no_parameter_of_ours = 1': r'no_parameter_of_ours',
}


def start_on_a_terminal(mail):
    reader, terminal = pty.openpty()
    said = []

    def listen():
        try:
            while piece := os.read(reader, 65536):
                said.append(piece)
        except OSError:      # nobody has the other side any more
            pass
    listener = threading.Thread(target=listen)
    listener.start()
    subprocess.run([tool('postfix'), '-c', mail.config, 'start'], stderr=terminal, check=True, timeout=LIMIT * 3)
    os.close(terminal)
    mail.stop()
    listener.join(LIMIT)
    os.close(reader)
    return b''.join(said).decode()


for doubt, text in DOUBTS.items():
    with Instance(start=False, main=doubt + '\n') as mail:
        line = open(f'{mail.config}/main.cf').read().split('\n').index(doubt) + 1
        expect_match(rf'warning: .*(main\.cf, line {line}: .*{text}|{text}.*main\.cf)', start_on_a_terminal(mail), f'what the terminal is told of "{doubt}"')
        unseen = mail.start().stderr
        expect(re.findall(r'main\.cf, line \d+', unseen), [], f'places that are told where no terminal is, of "{doubt}"')
