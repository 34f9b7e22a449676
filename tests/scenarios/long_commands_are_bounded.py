"""Lines without end, commands without end and headers without end cost a bounded amount and one client's connection."""
from instance import Instance, expect

with Instance() as mail:
    def memory():
        return int(next(line for line in open(f'/proc/{mail.engine_pid()}/status') if line.startswith('VmRSS')).split()[1])
    before = memory()
    with mail.dialogue() as d:
        try:
            for _ in range(320):
                d.send(b'x' * 100000)      # 32 MB without a line end
            d.send('\r\n')
            reply = d.reply()
        except (OSError, EOFError):
            reply = 'closed'
        expect(reply[:3] in ('500', '502', '421', 'clo'), True, f'the reply to an endless line ({reply[:80]})')
    with mail.dialogue() as d:
        d.say('EHLO client.test')
        d.say('MAIL FROM:<a@remote.test>')
        d.say('RCPT TO:<alice@example.test>')
        d.say('DATA')
        for _ in range(50):
            d.send(b'X-Long: ' + b'y' * 100000)
        expect(d.say('\r\n\r\n.')[:3] in ('250', '552'), True, 'an endless header line')
    if memory() - before > 30000:
        raise SystemExit(f'the engine grew from {before} to {memory()} kB')
    mail.send(to=['bob@example.test'])
    mail.wait_for_mail('bob')
