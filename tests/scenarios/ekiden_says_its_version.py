"""`ekiden --version` and `ekiden version` name the release and the Postfix whose behaviour it has; no configuration is needed."""
import os
import re
import subprocess

from instance import ROOT, expect, tool

def read(path, pattern):
    return re.search(pattern, open(os.path.join(ROOT, path)).read(), re.M).group(1)


release = read('CMakeLists.txt', r'^project\(ekiden VERSION (\S+)')
postfix = read('src/config/parameters/misc.def', r'^P\("mail_version", text, "([^"]+)"')
for word in ('--version', 'version'):
    said = subprocess.run([tool('ekiden'), word], stdout=subprocess.PIPE, text=True, check=True, env={'MAIL_CONFIG': '/nonexistent'})
    expect(said.stdout, f'ekiden {release}, with the behaviour of Postfix {postfix} (mail_version)\n', f'ekiden {word}')
