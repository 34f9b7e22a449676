"""The metrics of the common Prometheus exporters for Postfix, which match each line of the log with expressions, have the
right values after a busy day. The expressions here are as strict as theirs: the service's name from the tag, fields in their
order, whole texts between the separators."""
import collections, re
from busy_site import busy_site
from instance import expect

LINE = re.compile(r'^\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ postfix/(?P<service>[\w./+-]+)\[\d+\]: (?P<text>.+)$')
DELAYS = r', relay=(\S+), .*\bdelays=([\d.]+)/([\d.]+)/([\d.]+)/([\d.]+), dsn=(\d\.\d+\.\d+), status=(\w+) \('
TLS = r' TLS connection established {} (\S+): (TLSv[\d.]+) with cipher (\S+) \((\d+)/(\d+) bits\)'
# service → (metric, expression, which group is the label), the first that fits counts
METRICS = {
    'smtpd': [('connects', r'^connect from \S+\[\S+\]$', 0), ('disconnects', r'^disconnect from \S+\[\S+\] ', 0),
              ('forged names', r'^warning: hostname \S+ does not resolve to address \S+', 0), ('lost after', r'^lost connection after (\w+) ', 1),
              ('by login', r'^\w+: client=\S+, sasl_method=(\S+), sasl_username=\S+$', 1), ('without login', r'^\w+: client=\S+$', 0),
              ('rejected', r'^NOQUEUE: reject: RCPT from \S+: (\d{3}) ', 1), ('failed logins', r'^warning: \S+: SASL (\S+) authentication failed: ', 1),
              ('TLS', r'^\w+' + TLS.format('from'), 2)],
    'cleanup': [('processed', r'^\w+: message-id=<', 0), ('refused', r'^\w+: reject: ', 0)],
    'qmgr': [('inserted', r'^\w+: from=<.*>, size=\d+, nrcpt=(\d+) \(', 1), ('removed', r'^\w+: removed$', 0),
             ('expired', r'^\w+: from=<.*>, status=force-expired, returned to sender$', 0)],
    'smtp': [('status', DELAYS, 7), ('TLS', r'^(Anonymous|Untrusted|Trusted|Verified)' + TLS.format('to'), 1)],
    'pipe': [('status', DELAYS, 7)], 'virtual': [('status', DELAYS, 7)], 'error': [('status', DELAYS, 7)], 'discard': [('status', DELAYS, 7)],
    'bounce': [('notified', r'^\w+: sender non-delivery notification: \w+$', 0)],
    'pickup': [('local', r'^\w+: uid=(\d+) from=<', 0)],
}
# What the exporters of that kind call unsupported: these, and nothing else.
OTHER = {'smtpd': r'^(improper command pipelining|too many errors) after ', 'cleanup': r'^\w+: (warning|hold): header ', 'master': r'^(daemon started|reload) -- version ',
         'postsuper': r'', 'postfix-script': r''}

with busy_site() as mail:
    values, delays = collections.Counter(), 0
    for line in mail.log().splitlines():
        parts = LINE.match(line)
        expect(bool(parts), True, f'the shape of {line!r}')
        service, text = parts['service'], parts['text']
        for metric, expression, label in METRICS.get(service, ()):
            if m := re.search(expression, text):
                values[f'{service} {metric}' + (f' {m[label]}' if label else '')] += 1
                if metric == 'status':
                    delays += sum(float(m[i]) for i in range(2, 6)) >= 0
                break
        else:
            expect(bool(re.search(OTHER.get(service, r'(?!)'), text)), True, f'a line for which exporters have no metric: {line!r}')
    want = {'smtpd connects': 20, 'smtpd disconnects': 20, 'smtpd forged names': 1, 'smtpd lost after CONNECT': 1, 'smtpd lost after EHLO': 1, 'smtpd lost after DATA': 1,
            'smtpd by login CRAM-MD5': 1, 'smtpd without login': 10, 'smtpd rejected 454': 1, 'smtpd rejected 550': 1, 'smtpd rejected 554': 1, 'smtpd rejected 501': 1,
            'smtpd failed logins PLAIN': 2, 'smtpd failed logins LOGIN': 1, 'smtpd TLS TLSv1.3': 1, 'cleanup refused': 1, 'qmgr expired': 1, 'qmgr removed': 12,
            'smtp status sent': 1, 'smtp status deferred': 3, 'smtp status bounced': 1, 'error status bounced': 1, 'discard status sent': 1, 'pipe status sent': 1,
            'virtual status sent': 10, 'bounce notified': 3, 'pickup local': 2}
    expect({name: values[name] for name in want}, want, f'the metrics, of {dict(values)}')
    expect(delays, sum(n for name, n in values.items() if ' status ' in name), 'deliveries with their four delays')
