#!/usr/bin/env python3
"""Delivery, bounces, rewriting, the queue and sendmail, compared line by line with what Postfix 3.7.11 logged, delivered and printed.

  tests/compat/deliveries.py [--record] [PATTERN]

The cases are in deliveries/*.py; deliveries/*.txt has what was seen of each: the log, the files, the bounces, the outputs. --record runs
Debian's Postfix instead and writes what it did (root, and apt for the package). A case where Ekiden means to differ says why
(`differs`), and --record-own writes what Ekiden does of those below it, as `## name -- Ekiden`.
"""
import argparse, difflib, fnmatch, glob, importlib.util, json, os, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
from instance import overridden, skip
import mail_world
import reference

FOLDER = os.path.join(HERE, 'deliveries')
WORLDS = 5
OWN_SPACES = ['unshare', '--net', '--mount', '--pid', '--uts', '--ipc', '--fork', '--kill-child=KILL', '--mount-proc', '--propagation', 'private']


def last_of_each(main):
    """settings without those that are set again further down"""
    lines = main.splitlines(keepends=True)
    return ''.join(line for i, line in enumerate(lines) if not any(other.split('=')[0] == line.split('=')[0] for other in lines[i + 1:]))


class Case:
    def __init__(self, group, name, play, main='', master='', files=None, differs=None):
        self.name, self.group, self.play, self.main, self.master, self.files, self.differs = f'{group}/{name}', group, play, last_of_each(main), master, files or {}, differs


def all_cases(pattern='*'):
    found = []
    for path in sorted(glob.glob(os.path.join(FOLDER, '*.py'))):
        group = os.path.basename(path)[:-3]
        spec = importlib.util.spec_from_file_location('deliveries_' + group, path)
        module = importlib.util.module_from_spec(spec)

        def case(name, **more):
            return lambda play: found.append(Case(group, name, play, **more)) or play
        module.case = case
        spec.loader.exec_module(module)
    return [case for case in found if fnmatch.fnmatch(case.name, pattern)]


def play_here(names, root, out):
    """the world's own process"""
    world = mail_world.build_world(root)
    result = {}
    for case in all_cases():
        if case.name not in names:
            continue
        world.clean(case.files)
        said = world.configure(overridden(mail_world.MAIN_CF, case.main), mail_world.MASTER_CF + case.master)
        play = mail_world.Play(world)
        try:
            case.play(play)
        except Exception as e:
            play.say(f'(the case failed: {type(e).__name__} {e}; the start said: {said})')
        result[case.name] = play.outcome()
        with open(out, 'w') as f:
            json.dump(result, f)
    mail_world.sh('postfix stop')


def run(cases, root=None):
    """{case: lines}; cases of one configuration follow each other in one world"""
    shares = [[] for _ in range(WORLDS)]
    groups = {}
    for case in cases:
        groups.setdefault((case.main, case.master), []).append(case.name)
    several = 6    # of one configuration in one world
    chunks = [names[i:i + several] for names in groups.values() for i in range(0, len(names), several)]
    for names in sorted(chunks, key=len, reverse=True):
        min(shares, key=len).extend(names)
    result = {}
    with tempfile.TemporaryDirectory(prefix='ekiden-', dir='/var/tmp') as folder:
        begun = []
        for i, names in enumerate(shares):
            if names:
                out = os.path.join(folder, f'{i}.json')
                argv = [*OWN_SPACES, sys.executable, os.path.abspath(__file__),
                        '--world', json.dumps(names), '--out', out] + (['--root', str(root)] if root else [])
                begun.append((out, subprocess.Popen(argv, stdin=subprocess.DEVNULL)))
        for out, process in begun:
            process.wait()
            if os.path.exists(out):
                with open(out) as f:
                    result |= json.load(f)
    return result


def record_of(group):
    return os.path.join(FOLDER, group + '.txt')


def read_record():
    """{case: lines}, {case: Ekiden's own lines}"""
    both = {}
    for path in glob.glob(os.path.join(FOLDER, '*.txt')):
        lines = None
        with open(path) as f:
            for line in f.read().split('\n')[:-1]:
                if line.startswith('## '):
                    lines = both[line[3:]] = []
                elif lines is not None:
                    lines.append(line)
    return both


def write_record(both, cases):
    for group in {case.group for case in cases}:
        with open(record_of(group), 'w') as out:
            out.write('# What Postfix 3.7.11 did; written by deliveries.py --record. "-- Ekiden": where it means to differ.\n')
            for case in cases:
                for name in (case.name, case.name + ' -- Ekiden'):
                    if case.group == group and name in both and (name == case.name or case.differs):
                        out.write(f'## {name}\n' + ''.join(line + '\n' for line in both[name]))


def wrong_ones(cases, got, recorded):
    for case in cases:
        want = recorded.get(case.name + ' -- Ekiden' if case.differs else case.name)
        if got.get(case.name) != want:
            yield case, want


def compare(pattern):
    recorded, cases = read_record(), all_cases(pattern)
    got = run(cases)
    # What depends on the order of things on a busy machine goes right the second time.
    again = [case for case, _ in wrong_ones(cases, got, recorded)]
    got |= run(again) if 0 < len(again) < 20 else {}
    wrong = list(wrong_ones(cases, got, recorded))
    for case, want in wrong:
        print(f'## {case.name}')
        print('\n'.join(list(difflib.unified_diff(want or [], got.get(case.name) or ['(no outcome)'], 'Postfix', 'Ekiden', lineterm='', n=1))[2:]))
    print(f'{len(cases)} cases, {len(wrong)} of them wrong')
    return 1 if wrong or not cases else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--record', action='store_true')
    parser.add_argument('--record-own', action='store_true')
    parser.add_argument('--world')
    parser.add_argument('--root')
    parser.add_argument('--out')
    parser.add_argument('pattern', nargs='?', default='*')
    a = parser.parse_args()
    if a.world:
        return play_here(json.loads(a.world), a.root, a.out)
    if os.geteuid() != 0:
        skip('needs root: a machine of its own')
    if subprocess.run([*OWN_SPACES, 'true'], capture_output=True).returncode:
        skip('cannot make name spaces')
    if not (a.record or a.record_own):
        return compare(a.pattern)
    cases, both = all_cases(a.pattern), read_record()
    if a.record:
        reference.fetch()
        both |= run(cases, reference.cache() / 'postfix')
    else:
        both |= {name + ' -- Ekiden': lines for name, lines in run([case for case in cases if case.differs]).items()}
    write_record(both, all_cases())
    return 0


if __name__ == '__main__':
    sys.exit(main())
