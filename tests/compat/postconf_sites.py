#!/usr/bin/env python3
"""Reads the configurations of real sites with postconf and compares with what Postfix's postconf printed.

usage: postconf_sites.py POSTCONF CONFIGS [-v]

CONFIGS holds one folder a site with main.cf, master.cf and expected.postconf-{n,nx,M,Mf,P}[.stderr], where @DIR@ stands
for the directory and @PID@ for a process id. Standard output must be equal; standard error is compared as a set of lines.
Without the folder nothing is tested and the script says so.
"""
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile


def read(path):
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def run(postconf, folder, option):
    command = [postconf, "-c", folder, "-" + option]
    done = subprocess.run(command, capture_output=True, timeout=60)
    texts = []
    for data in (done.stdout, done.stderr):
        text = data.decode("utf-8", "surrogateescape").replace(folder, "@DIR@")
        texts.append(text.replace(postconf + ":", "postconf:"))
    return texts


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    postconf, configs = os.path.abspath(sys.argv[1]), sys.argv[2]
    is_verbose = "-v" in sys.argv[3:]
    if not os.path.isdir(configs):
        print(f"skipped: there is no folder of sites at {configs}")
        return 0
    passed = failed = 0
    for site in sorted(os.listdir(configs)):
        source = os.path.join(configs, site)
        if not os.path.isdir(source):
            continue
        with tempfile.TemporaryDirectory(prefix="ekiden-site-") as folder:
            for name in ("main.cf", "master.cf"):
                path = os.path.join(source, name)
                if os.path.exists(path):
                    shutil.copy(path, folder)
                else:
                    open(os.path.join(folder, name), "w").close()
            for option in ("n", "nx", "M", "Mf", "P"):
                expected = os.path.join(source, "expected.postconf-" + option)
                if not os.path.exists(expected):
                    continue
                want, want_errors = read(expected), set(read(expected + ".stderr").splitlines())
                got, errors = run(postconf, folder, option)
                got_errors = set(errors.splitlines())
                if "@PID@" in want:
                    pattern = re.escape(want).replace(re.escape("@PID@"), r"\d+")
                    is_equal = re.fullmatch(pattern, got) is not None
                else:
                    is_equal = got == want
                if is_equal and got_errors == want_errors:
                    passed += 1
                    continue
                failed += 1
                print(f"FAILED {site} -{option}")
                if is_verbose:
                    diff = difflib.unified_diff(want.splitlines(), got.splitlines(), "want", "got", lineterm="", n=0)
                    print("\n".join(diff))
                    for line in sorted(want_errors - got_errors):
                        print("stderr missing:", line)
                    for line in sorted(got_errors - want_errors):
                        print("stderr too much:", line)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
