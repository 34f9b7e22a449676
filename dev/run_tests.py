#!/usr/bin/env python3
"""Runs everything that says whether Ekiden works; called by ./do test.

  unit tests and kept fuzz corpora (ctest) · scenarios against the real daemon · comparisons with Postfix ·
  the golden cases, whose score may only rise (tests/golden-floor)

Prints what failed, and `N passed, N failed, N skipped` as the last line.
Parts: --only unit|untrusted|scenarios|compat|golden
"""
import argparse, atexit, concurrent.futures, glob, os, re, shutil, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(ROOT)
SHARED = os.environ.get('EKIDEN_SHARED') or os.path.join('..', 'shared')
passed, failed, skipped = [], [], []


def say(text):
    print(f'==> {text}', file=sys.stderr, flush=True)


def unit(build, jobs, label=None):
    say('unit tests and fuzz corpora' + (f' of what reads {label} bytes' if label else ''))
    p = subprocess.run(['ctest', *(['-L', label] if label else []), '--test-dir', build, '-j', str(jobs),
                        '--output-on-failure', '--timeout', '300'],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for m in re.finditer(r'^ *\d+/\d+ Test +#\d+: (\S+) \.+ *(\**\w.*?) +[\d.]+ sec', p.stdout, re.M):
        where = passed if m.group(2) == 'Passed' else skipped if 'Skipped' in m.group(2) else failed
        where.append('unit ' + m.group(1))
    if p.returncode:
        print(p.stdout[-20000:])
        if not any(f.startswith('unit ') for f in failed):
            failed.append('unit (ctest itself)')


def one_program(path, env, limit=240, arguments=()):
    """exit 0: passed; 77: skipped (the last line says why)"""
    begin = time.monotonic()
    argv = [sys.executable, path] if path.endswith('.py') else ['sh', path] if path.endswith('.sh') else [path]
    argv += arguments
    try:
        p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace', env=env,
                           timeout=limit)
        code, output = p.returncode, p.stdout
    except subprocess.TimeoutExpired as e:
        said = e.stdout.decode(errors='replace') if isinstance(e.stdout, bytes) else e.stdout or ''
        code, output = 1, f'no end within {limit} s\n' + said
    return code, output, time.monotonic() - begin


def within_reach(folder):
    """The folder of programs, or a copy if ordinary users, as whom some tests run them, cannot go there (root's home)."""
    folder = os.path.realpath(folder)
    parents = folder
    while os.stat(parents).st_mode & 0o001:
        if parents == '/':
            return folder
        parents = os.path.dirname(parents)
    place = tempfile.mkdtemp(prefix='ekiden-bin-', dir='/var/tmp')
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    os.chmod(place, 0o755)
    return shutil.copytree(folder, os.path.join(place, 'bin'), symlinks=True,
                           ignore=shutil.ignore_patterns('*_test', '*_fuzz'))


def programs(kind, paths, binaries, jobs, arguments=None):
    say(f'{kind}: {len(paths)} programs')
    env = dict(os.environ, EKIDEN_BIN=binaries, EKIDEN_SHARED=os.path.abspath(SHARED), PYTHONDONTWRITEBYTECODE='1',
               PYTHONPATH=os.path.join(ROOT, 'tests', 'support'))
    def run(path):
        return one_program(path, env, arguments=(arguments or {}).get(os.path.basename(path), ()))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for path, (code, output, seconds) in zip(paths, pool.map(run, paths)):
            name = f'{kind} {os.path.splitext(os.path.basename(path))[0]}'
            if code == 0:
                passed.append(name)
            elif code == 77:
                skipped.append(name)
                print(f'skipped: {name}: {output.strip().splitlines()[-1] if output.strip() else ""}')
            else:
                failed.append(name)
                print(f'FAILED: {name} ({seconds:.1f} s)\n{output[-8000:]}')


def golden(build, jobs):
    tool = os.path.join(SHARED, 'golden', 'tools', 'golden.py')
    if not os.path.exists(tool):
        skipped.append('golden')
        print(f'skipped: golden: the captures are not beside this checkout ({SHARED}/golden)')
        return
    if subprocess.run(['unshare', '-mnpf', 'true'], capture_output=True).returncode:
        skipped.append('golden')
        print('skipped: golden: needs private name spaces, and may not make them here')
        return
    say('golden cases')
    floor = int(open('tests/golden-floor').read().split()[0])
    out = os.path.join(build, 'golden')
    subprocess.run(['rm', '-rf', out])
    run = subprocess.run([sys.executable, tool, 'run', '--bin', os.path.join(build, 'bin'), '--jobs', str(jobs),
                          '--out', out],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace')
    result = subprocess.run([sys.executable, tool, 'compare', out, '--failing'],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace')
    last = re.findall(r'golden: (\d+)/(\d+) cases, (\d+)/(\d+) blocks', result.stdout)
    print(result.stdout[-6000:])
    if run.returncode or not last:
        failed.append('golden')
        print(run.stdout[-3000:])
    elif int(last[-1][0]) < floor:
        failed.append('golden')
        print(f'FAILED: golden: {last[-1][0]} cases are equal, the floor is {floor} (tests/golden-floor)')
    else:
        passed.append('golden')


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--build', default='build')
    p.add_argument('--sanitizer')
    p.add_argument('--only', action='append')
    p.add_argument('patterns', nargs='*', help='scenarios whose name contains one of these')
    a = p.parse_args()
    jobs = os.cpu_count() or 2
    if a.sanitizer == 'asan':
        # Tests that fork helpers leave their parents' memory behind on purpose; ask for leaks by hand.
        os.environ.setdefault('ASAN_OPTIONS', 'detect_leaks=0')
    wanted = a.only or (['unit', 'scenarios'] if a.sanitizer else ['unit', 'scenarios', 'compat', 'golden'])
    if a.patterns:
        wanted = a.only or ['scenarios']
    def chosen(paths):
        return sorted(x for x in paths if not a.patterns or any(w in x for w in a.patterns))
    if 'unit' in wanted:
        unit(a.build, jobs)
    elif 'untrusted' in wanted:
        unit(a.build, jobs, 'untrusted')
    binaries = within_reach(os.path.join(a.build, 'bin')) if {'scenarios', 'compat'} & set(wanted) else ''
    if 'scenarios' in wanted:
        # Scenarios mostly wait: a few more at a time than there are cores.
        paths = glob.glob('tests/scenarios/*.py') + glob.glob('tests/crash/*.py')
        programs('scenario', chosen(paths), binaries, jobs + 1)
    if 'compat' in wanted:
        programs('compat', chosen(glob.glob('tests/compat/*.py')), binaries, jobs, {
            'commands.py': ['--bin', binaries],
            'load_tools.py': ['--bin', binaries],
            'posttls_finger.py': ['--bin', binaries],
            'postconf_sites.py': [os.path.join(binaries, 'postconf'), os.path.join(SHARED, 'configs')],
        })
    if 'golden' in wanted:
        golden(a.build, jobs + 2)
    for name in failed:
        print('FAILED:', name)
    print(f'{len(passed)} passed, {len(failed)} failed, {len(skipped)} skipped')
    sys.exit(1 if failed or not passed else 0)


main()
