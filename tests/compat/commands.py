#!/usr/bin/env python3
"""The administrator's commands print, complain and end as Postfix's do: every option, and every way to use it wrongly.

  tests/compat/commands.py --bin FOLDER [--reference ROOT] [--record] [name...]

The dialogues are in commands/*.txt. A line `$ command` is run by the shell in a folder of its own (`% command`: as an
ordinary user); the lines below it say what was seen: `1|` standard output, `2|` standard error, `= n` the exit status
if it is not 0. Where Ekiden means to differ, a line `! why` follows, and its own output as `1!`, `2!`, `=! n`. A line
`## title` begins a case with a new folder; `#needs root` in it says that others cannot run it, `#on a terminal` that
standard error is one (some programs are silent otherwise), `#primary` that the configuration is in /etc/postfix (in
mounts of its own). In the texts @DIR@ is the case's folder.

With --reference (the root of an unpacked Debian package of Postfix) the same dialogues are held with the real programs
first, and must be what is written down. --record writes down what is seen: with --reference the real programs' words,
without it Ekiden's where they are not the same.
Exit 0 if all is well, 77 if nothing could be run.
"""

import argparse
import contextlib
import glob
import os
import pathlib
import pty
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
LIMIT = 30  # seconds for one command

MAIN_CF = """\
compatibility_level = 3.6
myhostname = mail.example.test
mydomain = example.test
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
queue_directory = @DIR@/spool
data_directory = @DIR@/data
command_directory = @DIR@/sbin
daemon_directory = @DIR@/libexec
shlib_directory = @DIR@/lib
meta_directory = @DIR@/config
maillog_file = @DIR@/mail.log
maillog_file_prefixes = @DIR@
mail_owner = @OWNER@
setgid_group = @GROUP@
alias_maps = hash:@DIR@/aliases
alias_database = $alias_maps
"""
MASTER_CF = """\
# The services of a small site.
smtp      inet  n       -       n       -       -       smtpd
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_client_restrictions=permit_mynetworks,reject
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
smtp      unix  -       -       n       -       -       smtp
local     unix  -       n       n       -       -       local
maildrop  unix  -       n       n       -       -       pipe
  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}
"""
PRIMARY = """\
[ -d /etc/postfix ] || { [ -d $DIR/etc ] || { cp -a /etc $DIR/etc && mkdir $DIR/etc/postfix; } && mount --bind $DIR/etc /etc; }
mount --bind $DIR/config /etc/postfix || exit 99
MAIL_CONFIG=/etc/postfix
"""
QUEUES = "active bounce corrupt defer deferred flush hold incoming maildrop private public pid saved trace".split()

# What differs from run to run, and between versions where that is all.
MASKS = [
    (r"\b(?=[A-F]*[0-9])[0-9A-F]{10,16}\b", "QID"),
    (r"^QID +\d+ ", "QID SIZE "),
    (r"(?<=\"message_size\": )\d+", "SIZE"),
    (r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), +\d+ \w{3} \d{4} [\d:]+ [-+]\d{4}(?: \(\w+\))?", "DATE"),
    (r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} +\d+ [\d:]{8}(?: \d{4})?", "DATE"),
    (r"^[A-Z][a-z]{2} [ \d]\d [\d:]{8} ", "DATE "),
    (r"\[\d+\](?=:)", "[PID]"),
    (r"(?<=process )\d+", "PID"),
    (r"(?<=arrival_time\": )\d+", "TIME"),
]


class Step:
    def __init__(self, line):
        self.line, self.is_user = line[2:], line[0] == "%"
        self.seen = {"|": ([], [], 0), "!": ([], [], 0)}
        self.reason = None

    def add(self, line):
        if line.startswith("! "):
            self.reason = line[2:]
        elif line.startswith("="):
            kind = "!" if line.startswith("=!") else "|"
            out, errors, _ = self.seen[kind]
            self.seen[kind] = (out, errors, int(line.split()[1]))
        else:
            stream, kind, text = line[0], line[1], line[3:]
            self.seen[kind][int(stream) - 1].append(text)

    def expected(self, is_reference):
        return self.seen["|" if is_reference or self.reason is None else "!"]

    def lines(self):
        yield ("% " if self.is_user else "$ ") + self.line
        for kind in "|!" if self.reason is not None else "|":
            if kind == "!":
                yield "! " + self.reason
            out, errors, status = self.seen[kind]
            for text in out:
                yield f"1{kind} {text}".rstrip(" ")
            for text in errors:
                yield f"2{kind} {text}".rstrip(" ")
            if status != 0:
                yield f"={kind if kind == '!' else ''} {status}"


class Case:
    def __init__(self, title):
        self.title, self.steps, self.remarks = title, [], []

    @property
    def needs_root(self):
        return "#needs root" in self.remarks

    @property
    def needs_mounts(self):
        return "#primary" in self.remarks


def read_cases(path):
    head, cases = [], []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("## "):
            cases.append(Case(line[3:]))
        elif not cases:
            head.append(line)
        elif line.startswith("#"):
            cases[-1].remarks.append(line)
        elif line[:2] in ("$ ", "% "):
            cases[-1].steps.append(Step(line))
        elif line and not re.match(r"[12][|!]( |$)|=!? \d+$|! ", line):
            sys.exit(f"{path}:{number}: what is this? {line}")
        elif line:
            cases[-1].steps[-1].add(line)
    return head, cases


def write_cases(path, head, cases):
    text = "\n".join(head) + "\n"
    for case in cases:
        text += f"## {case.title}\n" + "".join(remark + "\n" for remark in case.remarks)
        for step in case.steps:
            text += "".join(line + "\n" for line in step.lines())
        text += "\n"
    path.write_text(text.rstrip("\n") + "\n")


def read_all(descriptor, pieces):
    """until nobody has the other side any more (a terminal says so by an error)"""
    with contextlib.suppress(OSError):
        while piece := os.read(descriptor, 65536):
            pieces.append(piece)
    os.close(descriptor)


class Programs:
    """Ekiden's, or an unpacked package's."""

    def __init__(self, folder, root=None):
        self.folder, self.root = pathlib.Path(folder).resolve(), root

    def run_case(self, case):
        """what was seen of each step"""
        with tempfile.TemporaryDirectory(prefix="ekiden-commands-", dir="/var/tmp") as name:
            folder = pathlib.Path(name)
            folder.chmod(0o755)
            self.furnish(folder)
            return [self.run(folder, case, step) for step in case.steps]

    def furnish(self, folder):
        is_root = os.geteuid() == 0
        me = pwd.getpwuid(os.geteuid()).pw_name
        owner, group = ("mail", "daemon") if is_root else (me, me)
        for part in ["config", "lib", "data", "here", *(f"spool/{queue}" for queue in QUEUES)]:
            (folder / part).mkdir(parents=True, exist_ok=True)
        if self.root:
            (folder / "sbin").mkdir()
            for program in [*self.folder.iterdir(), self.folder / "mailq", self.folder / "newaliases"]:
                (folder / "sbin" / program.name).symlink_to(program if program.exists() else self.folder / "sendmail")
        else:
            (folder / "sbin").symlink_to(self.folder)
        (folder / "libexec").symlink_to(self.root / "usr/lib/postfix/sbin" if self.root else self.folder)
        for file, text in (("main.cf", MAIN_CF), ("master.cf", MASTER_CF)):
            for mark, value in (("@DIR@", str(folder)), ("@OWNER@", owner), ("@GROUP@", group)):
                text = text.replace(mark, value)
            (folder / "config" / file).write_text(text)
        if self.root:
            (folder / "config/dynamicmaps.cf").write_text("")
            (folder / "config/postfix-files").write_text("")
        # What the sockets of a system that is down look like.
        for name in ("showq", "qmgr", "flush", "pickup"):
            with socket.socket(socket.AF_UNIX) as end:
                end.bind(str(folder / "spool/public" / name))
        (folder / "aliases").write_text("root: alice\n")
        (folder / "mail.log").touch()
        (folder / "mail.log").chmod(0o666)
        if is_root:
            for part in ["data", *(f"spool/{queue}" for queue in QUEUES)]:
                shutil.chown(folder / part, owner, group if part.endswith(("maildrop", "public")) else None)
            (folder / "spool/maildrop").chmod(0o730)
            (folder / "here").chmod(0o777)

    def run(self, folder, case, step):
        environment = {"PATH": f"{folder}/sbin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": "/", "DIR": str(folder), "MAIL_CONFIG": f"{folder}/config"}
        identity = {"user": "nobody", "group": "nogroup", "extra_groups": []} if step.is_user and os.geteuid() == 0 else {}
        command = ["sh", "-c", step.line]
        if "#primary" in case.remarks:
            del environment["MAIL_CONFIG"]
            command = ["unshare", "-m", "sh", "-c", PRIMARY + step.line]
        if "#on a terminal" in case.remarks:
            reader, errors = pty.openpty()
        else:
            reader, errors = os.pipe()
        with subprocess.Popen(command, cwd=folder / "here", env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=errors, start_new_session=True, **identity) as process:
            os.close(errors)
            said = []
            listener = threading.Thread(target=read_all, args=(reader, said))
            listener.start()
            try:
                output, _ = process.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                output = b"(no end)\n"
            listener.join()
        return self.plain(folder, output), self.plain(folder, b"".join(said).replace(b"\r\n", b"\n")), process.returncode

    def plain(self, folder, data):
        text = data.decode("utf-8", "backslashreplace").replace(str(folder), "@DIR@")
        text = text.replace(str(self.folder), "@DIR@/sbin")
        text = text.replace("/etc/postfix", "@DIR@/config")
        if self.root:
            text = text.replace(str(self.root / "usr/lib/postfix/sbin"), "@DIR@/libexec")
        if os.geteuid() != 0:   # what the dialogues were recorded with
            me = pwd.getpwuid(os.geteuid()).pw_name
            text = text.replace(f"mail_owner = {me}", "mail_owner = mail").replace(f"setgid_group = {me}", "setgid_group = daemon")
            text = text.replace(f"uid={os.geteuid()}:", "uid=0:")
        for pattern, replacement in MASKS:
            text = re.sub(pattern, replacement, text, flags=re.M)
        text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02x}", text)
        lines = text.split("\n")
        if lines[-1] == "":
            lines.pop()
        elif lines:
            lines[-1] += "\\"  # no newline at the end
        return [line.rstrip(" ") if not line.strip() else re.sub(r" +$", lambda found: "\\x20" * len(found[0]), line) for line in lines]


def show(title, step, want, got):
    print(f"FAILED: {title}\n  $ {step.line}")
    for name, wanted, found in zip(("standard output", "standard error", "status"), want, got):
        if wanted != found:
            print(f"  {name}:")
            if isinstance(wanted, int):
                print(f"    want {wanted}, got {found}")
            else:
                print("".join(f"    - {line}\n" for line in wanted if line not in found) + "".join(f"    + {line}\n" for line in found if line not in wanted), end="")
                if sorted(wanted) == sorted(found):
                    print("    (the same lines in another order)")


def use_libraries_of(root):
    """Postfix's programs clean their environment, so their libraries must be found without: in mounts of our own."""
    if os.environ.pop("EKIDEN_OWN_MOUNTS", None):
        cache = tempfile.NamedTemporaryFile(prefix="ekiden-ld-")
        subprocess.run(["ldconfig", "-X", "-C", cache.name, str(root / "usr/lib/postfix")], check=True)
        os.chmod(cache.name, 0o644)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["mount", "--bind", cache.name, "/etc/ld.so.cache"], check=True)
        return
    os.environ["EKIDEN_OWN_MOUNTS"] = "1"
    os.execvp("unshare", ["unshare", "-mn", sys.executable, *sys.argv])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build/bin")
    parser.add_argument("--reference", type=pathlib.Path)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    root = options.reference.resolve() if options.reference else None
    if root:
        use_libraries_of(root)
    programs = Programs(root / "usr/sbin" if root else options.bin, root)
    may_mount = subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0
    passed = failed = skipped = 0
    for path in map(pathlib.Path, sorted(glob.glob(str(HERE / "commands" / "*.txt")))):
        if options.names and path.stem not in options.names:
            continue
        head, cases = read_cases(path)
        for case in cases:
            if case.needs_root and os.geteuid() != 0 or case.needs_mounts and not may_mount:
                skipped += 1
                continue
            results = programs.run_case(case)
            is_good = True
            for step, got in zip(case.steps, results):
                if options.record and root:
                    step.seen["|"] = got
                elif options.record and (got != step.seen["|"] or step.reason is not None):
                    if got == step.seen["|"]:
                        step.reason = None
                    else:
                        step.reason, step.seen["!"] = step.reason or "?", got
                elif step.reason == "?":
                    is_good = False
                    print(f"FAILED: {path.stem}: {case.title}\n  $ {step.line}\n  there is no reason why Ekiden differs")
                elif got != step.expected(root is not None):
                    is_good = False
                    show(f"{path.stem}: {case.title}", step, step.expected(root is not None), got)
            passed, failed = passed + is_good, failed + (not is_good)
        if options.record:
            write_cases(path, head, cases)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    if not passed and not failed:
        sys.exit(77)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
