"""A far side that falls silent at any step is given up after the step's time limit; the message waits."""
from instance import SILENCE, FarServer, Instance, expect

LIMITS = 'smtp_helo_timeout = 1\nsmtp_mail_timeout = 1\nsmtp_rcpt_timeout = 1\nsmtp_data_init_timeout = 1\nsmtp_data_done_timeout = 1\n'
STEPS = {'EHLO': r'conversation with .* timed out while performing the EHLO handshake', 'MAIL': r'conversation with .* timed out while sending MAIL FROM',
         'RCPT': r'conversation with .* timed out while sending RCPT TO', 'DATA': r'conversation with .* timed out while sending DATA command',
         '.': r'conversation with .* timed out while sending end of data -- message may be sent more than once'}
fars = {step: FarServer(answers={step: SILENCE}, ehlo=('far.test',)) for step in STEPS}
fars['greeting'] = FarServer(greeting=SILENCE)
STEPS['greeting'] = r'conversation with .* timed out while receiving the initial server greeting'
rows = ' '.join(f'{{ s{i}.test=smtp:[127.0.0.1]:{fars[step].port} }}' for i, step in enumerate(STEPS))
with Instance(main=f'transport_maps = inline:{{ {rows} }}\n{LIMITS}') as mail:
    for i in range(len(STEPS)):
        mail.send('alice@example.test', [f'b@s{i}.test'])
    for i, text in enumerate(STEPS.values()):
        mail.wait_for_log(rf'to=<b@s{i}\.test>, .*dsn=4\.4\.2, status=deferred \({text}\)')
    expect(len(mail.entries()), len(STEPS), 'messages that wait')
