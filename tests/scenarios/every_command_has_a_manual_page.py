"""Each command that the binary names has a manual page, mandoc finds nothing to complain about, and what a page refers to exists."""
import glob, os, re, shutil, subprocess

from instance import ROOT, Failed, expect, skip, tool

if not shutil.which('mandoc'):
    skip('mandoc is not installed')

help_text = subprocess.run([tool('ekiden'), 'help'], stdout=subprocess.PIPE, text=True, check=True).stdout
commands = help_text.split(':\n ')[1].split()
if len(commands) < 20:
    raise Failed(f'ekiden help names only {commands}')
own = re.findall(r'^  (\w+) ', help_text.split('\nPostfix')[0], re.M)
pages = {os.path.basename(path): path for path in glob.glob(os.path.join(ROOT, 'man', '*'))}
missing = [name for name in [*commands, *(f'ekiden-{name}' for name in own), 'ekiden'] if f'{name}.1' not in pages]
expect(missing, [], 'commands without a manual page')

for path in pages.values():
    lint = subprocess.run(['mandoc', '-Tlint', '-W', 'warning', path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    expect(lint.stdout, '', f'what mandoc says of {path}')

# References to our own pages lead somewhere; pages of the system's programs are theirs.
outside = {'openssl', 'crypt', 'systemd', 'strftime', 'syslog', 'sendmail', 'saslauthd', 'dig', 'logrotate', 'crontab', 'spawn'}
for name, path in pages.items():
    for target, section in re.findall(r'^\.Xr (\S+) (\d)', open(path).read(), re.M):
        if section == '1' and f'{target}.1' not in pages and target not in outside:
            raise Failed(f'{name} refers to {target}({section}), which is no page')

# Every letter that a program takes is in its page.
takes = {'postconf': 'aAbcCdefFhHjlmMnopPqtTvxX#', 'postqueue': 'cfijpsv', 'postsuper': 'cdefhHprsSv', 'postcat': 'bcdehoqrsv', 'postmap': 'bcdfFhijmnNopqrsuUvw',
         'postalias': 'cdfijnNopqrsuvw', 'postdrop': 'crv', 'postlog': 'ciptv', 'postlock': 'clv', 'postkick': 'cv', 'postmulti': 'aegiGIlpRvx',
         'posttls-finger': 'aAcCdfFghHkKlLmMopPrsStTvwX', 'qshape': 'bclmnNpstw', 'postfix': 'cDv'}
for program, letters in takes.items():
    # All that stands behind .Fl, or after a comma in the same line.
    shown = ''.join(word for line in re.findall(r'\bFl ([^\n]*)', open(pages[f'{program}.1']).read()) for word in re.findall(r'(?<![\w-])[\w#]+', line))
    absent = [letter for letter in letters if letter not in shown]
    expect(absent, [], f'options that {program}(1) does not name')
