"""`postfix stop` while a milter works on a message: the client is not told 250, and what the milter has not seen to its end is not let
pass by milter_default_action = accept, for it has not failed. The client comes again."""
import threading

from instance import Instance, MESSAGE, expect, wait_until
from played_milter import *


def main():
    with Milter() as milter, Instance(start=False) as mail:
        mail.set(f'smtpd_milters = inet:127.0.0.1:{milter.port}\n')
        for action in ('accept', 'quarantine'):
            mail.set(f'milter_default_action = {action}\n')
            for stage in 'OCRE':
                milter.play({stage: SILENCE}, negotiation=SILENCE if stage == 'O' else None)
                mail.start()
                answers = []

                def send():
                    try:
                        mail.send()
                        answers.append('sent')
                    except Exception as trouble:    # whatever a client that is hung up on may get
                        answers.append(str(trouble))
                client = threading.Thread(target=send, daemon=True)
                client.start()
                wait_until(lambda: any(line.startswith(stage) for line in milter.heard), f'the milter to hear {stage}')
                before = len(mail.log())
                mail.stop()
                client.join()
                expect('sent' in answers, False, f'{action}, {stage}: what the client was told: {answers}')
                expect([line for line in mail.log()[before:].splitlines() if 'warning: milter' in line], [], f'{action}, {stage}: blamed on the milter')
        milter.play()
        mail.start()
        expect(mail.entries(), [], 'the queue')
        mail.send(message=MESSAGE.replace('Hello', 'the only one'))
        expect(['the only one' in text for text in mail.wait_for_mail('alice')], [True], 'the mail')


main()
