"""logwatch's script for Postfix knows every line of a busy day and counts right. The lines about `postsuper -e` that it has
never heard of are Postfix's own, younger than the script."""
import os, re, subprocess
from busy_site import busy_site
from instance import expect
from unpacked import unpacked

root = os.path.join(unpacked('logwatch'), 'usr', 'share', 'logwatch')
with busy_site() as mail:
    with open(mail.log_file) as log:
        out = subprocess.run(['perl', '-I', f'{root}/lib', f'{root}/scripts/services/postfix', '--detail', '10'], stdin=log, capture_output=True, text=True, timeout=60)
    report = out.stdout
    expect((out.returncode, out.stderr), (0, ''), 'how the script ended')
    _, _, unknown = report.partition('**Unmatched Entries**')
    found = sorted(re.sub(r'.*\]: (?:[0-9A-Za-z]+: )?', '', line) for line in unknown.splitlines() if line.strip())
    expect(found, ['Force-expired: 1 message', 'expired', 'from=<alice@example.test>, status=force-expired, returned to sender'], 'lines that logwatch does not know')

    summary = report.split('Detail (10)')[0]
    counts = {name.strip(): int(count) for count, name in re.findall(r'^ +(\d+) +([A-Z0-9].*?) +\S+$', summary, re.M)}
    want = {'Accepted': 13, 'Rejected': 4, '5xx Reject HELO/EHLO': 1, '5xx Reject unknown user': 1, '5xx Reject RBL': 1, '5xx Reject header': 1,
            '4xx Reject relay denied': 1, 'Placed on hold': 2, 'SASL authentication failed': 3, 'SASL authenticated messages': 1, 'Connections': 20,
            'Disconnections': 20, 'Connections lost (inbound)': 3, 'Delivered': 12, 'Sent via SMTP': 1, 'Deferred': 1, 'Deferrals': 3, 'Bounced (local)': 2,
            'Notifications sent': 3, 'SMTP protocol violations': 2, 'TLS connections (server)': 1,
            'Warned': 1, 'Removed from queue': 13, 'Postfix start': 1, 'Postfix refresh': 1}
    expect({name: counts.get(name) for name in want}, want, 'what logwatch counts\n' + summary)
