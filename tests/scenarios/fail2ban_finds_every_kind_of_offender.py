"""fail2ban's own filter for Postfix, in each of its modes, names exactly the clients it has to: those that were refused, fail to
log in, are on a block list, break off; never the customers."""
import os, re, shutil, subprocess
from busy_site import busy_site
from instance import expect, skip

FILTER = '/etc/fail2ban/filter.d/postfix.conf'
if not shutil.which('fail2ban-regex') or not os.path.exists(FILTER):
    skip('fail2ban is not installed')
# mode → address → how often. .4 fails three logins in two sessions; .5 breaks off after CONNECT, EHLO and (for which the filter
# has no pity either way) DATA; .7 and .8 misbehave; .3's relaying, unknown user; its greeting's 501 is not in the filter's list.
WANT = {
    'normal': {'127.0.0.2': 1, '127.0.0.3': 2, '127.0.0.7': 1, '127.0.0.8': 1},
    'auth': {'127.0.0.4': 3},
    'rbl': {'127.0.0.2': 1},
    'ddos': {'127.0.0.4': 2, '127.0.0.5': 2},
    'errors': {'127.0.0.7': 1},
    'extra': {'127.0.0.2': 1, '127.0.0.3': 2, '127.0.0.4': 3, '127.0.0.7': 1, '127.0.0.8': 1},
    'aggressive': {'127.0.0.2': 1, '127.0.0.3': 2, '127.0.0.4': 5, '127.0.0.5': 2, '127.0.0.7': 1, '127.0.0.8': 1},
}
with busy_site() as mail:
    for mode, want in WANT.items():
        out = subprocess.run(['fail2ban-regex', '--out', 'id', mail.log_file, f'{FILTER}[mode={mode}]'], capture_output=True, text=True, timeout=60)
        expect(out.returncode, 0, out.stdout + out.stderr)
        found = re.findall(r'^127\.0\.0\.\d+$', out.stdout, re.M)
        expect({a: found.count(a) for a in sorted(set(found))}, want, f'whom mode={mode} finds in\n{mail.log()}')
