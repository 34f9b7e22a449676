"""Where the benchmark's servers come from, how they are configured, started, watched and stopped.

Everything happens inside private mount and network namespaces (see `dev/bench`): loopback only, private account files,
private folders. Postfix is Debian's package, unpacked and never installed; no daemon of the machine is touched.
"""

import ctypes
import glob
import os
import pathlib
import shutil
import socket
import subprocess
import time

from services import inner_services

SMTP_PORT = 2525
SINK_PORT = 2526   # the far side of relayed mail
DEAD_PORT = 2527   # nothing listens here, until a figure says so
SILENT_PORT = 2528  # connections are accepted and nothing is said
SLOW_PORT = 2529   # every reply takes its time
ACCOUNTS = {"postfix": 4001, "postdrop": 4002, "bench": 4003}
MEMBERS = 1000     # local users for the alias, member0 and so on, each with a number of his own
FIRST_MEMBER = 5000
COMMANDS = ("postfix", "postconf", "postqueue", "postsuper", "postcat", "postmap", "postalias", "sendmail", "mailq",
            "newaliases", "postlog", "postdrop", "smtp-source", "smtp-sink")

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/lib
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
mail_owner = postfix
setgid_group = postdrop
myhostname = bench.test
mydestination = bench.test
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
home_mailbox = Maildir/
biff = no
smtpd_client_connection_count_limit = 0
in_flow_delay = 0s
initial_destination_concurrency = 20
local_destination_concurrency_limit = 20
"""
# in_flow_delay: Postfix slows senders down on purpose when mail arrives faster than it leaves; that pause is not what
# is measured. The two concurrencies: all mail of a run goes to one destination, whose limits are low by default.


def set_aside(folder):
    """Out of the way, to be deleted when all is measured (clean_up)."""
    folder = pathlib.Path(folder)
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}.old{time.monotonic_ns()}"))


class BenchError(Exception):
    """Something did not work; what it says is for a person."""


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()[-600:]
        raise BenchError(f"{' '.join(map(str, command))}: exit {done.returncode}: {words}")
    return done.stdout


def fetch_postfix(cache):
    """Unpacks Debian's package into `cache`, once. Needs apt's package lists and dpkg-deb; no network afterwards."""
    root = cache / "postfix"
    if not (root / "usr/sbin/postfix").exists():
        cache.mkdir(parents=True, exist_ok=True)
        run(["apt-get", "download", "postfix"], cwd=cache)
        packages = sorted(glob.glob(str(cache / "postfix_*.deb")))
        if not packages:
            raise BenchError("apt-get download postfix left no package behind")
        run(["dpkg-deb", "-x", packages[-1], str(root)])
    if not (root / "usr/lib/postfix/postfix-lmdb.so").exists():  # LMDB is a package of its own
        run(["apt-get", "download", "postfix-lmdb"], cwd=cache)
        run(["dpkg-deb", "-x", sorted(glob.glob(str(cache / "postfix-lmdb_*.deb")))[-1], str(root)])
    (root / "etc/postfix/dynamicmaps.cf").write_text("lmdb\tpostfix-lmdb.so\tdict_lmdb_open\tmkmap_lmdb_open\n")
    missing = [line for line in run(["ldd", str(root / "usr/lib/postfix/sbin/smtpd")], env=dict(os.environ,
               LD_LIBRARY_PATH=str(root / "usr/lib/postfix"))).splitlines() if "not found" in line]
    if missing:
        raise BenchError("libraries that Postfix needs are missing (apt-get install libsasl2-2 libdb5.3 libicu72): "
                         + "; ".join(line.strip() for line in missing))
    return root


def private_accounts(cache):
    """A copy of /etc with the three users of the benchmark, laid over /etc of this namespace; in memory, gone with it.

    Not over the account files alone: when the machine gets another account meanwhile (a package is installed), its new
    /etc/passwd replaces the old one by rename, and a mount on a name that is replaced is dropped, in this namespace too.
    """
    home, etc = cache / "home", cache / "etc"
    etc.mkdir(exist_ok=True)
    run(["mount", "-t", "tmpfs", "-o", "mode=755", "bench-etc", str(etc)])
    run(["cp", "-a", "/etc/.", str(etc)])
    for name, line in (("passwd", "{0}:x:{1}:{1}::{2}:/bin/sh\n"), ("group", "{0}:x:{1}:\n")):
        kept = [entry for entry in open(f"/etc/{name}") if entry.split(":")[0] not in ACCOUNTS]
        kept += [line.format(account, number, home) for account, number in ACCOUNTS.items()]
        if name == "passwd":
            kept += [line.format(f"member{i}", FIRST_MEMBER + i, home / f"member{i}") for i in range(MEMBERS)]
        (etc / name).write_text("".join(kept))
    run(["mount", "--bind", str(etc), "/etc"])
    home.mkdir(exist_ok=True)
    members = ((home / f"member{i}", FIRST_MEMBER + i) for i in range(MEMBERS))
    for folder, owner in ((home, ACCOUNTS["bench"]), *members):
        folder.mkdir(exist_ok=True)
        os.chown(folder, owner, owner)
    for parent in (home, *home.parents):
        if not parent.stat().st_mode & 0o001:
            raise BenchError(f"{parent} must be searchable by others (chmod o+x), or mail cannot be delivered below it")
    return home


def adopt_orphans():
    """Daemons whose starter has ended become children of this process, so that none stays behind as a zombie."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def reap_orphans():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def make_login(folder, user, password, realm):
    """The folder "sasl" beside main.cf, where both servers look first: one login in an sasldb2, written by Cyrus
    SASL's own program."""
    if not shutil.which("saslpasswd2"):
        raise BenchError("saslpasswd2 is not installed (apt-get install sasl2-bin libsasl2-modules)")
    folder.mkdir()
    database = folder / "sasldb2"
    run(["saslpasswd2", "-p", "-c", "-f", str(database), "-u", realm, user], input=password)
    os.chown(database, ACCOUNTS["postfix"], ACCOUNTS["postfix"])
    (folder / "smtpd.conf").write_text("pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\n"
                                       f"sasldb_path: {database}\n")


def make_certificate(cache):
    """A self-signed ECDSA certificate and its key in one file, for both servers; made once."""
    chain = cache / "bench.test.pem"
    if not chain.exists():
        key, certificate = cache / "key.pem", cache / "certificate.pem"
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "3650", "-subj", "/CN=bench.test", "-keyout", str(key), "-out", str(certificate)])
        text = key.read_text() + certificate.read_text()
        chain.touch(mode=0o600)
        chain.write_text(text)
        key.unlink()
        certificate.unlink()
    return chain


class Meter:
    """CPU seconds and members of a control group: exact, whichever processes come and go. Version 1 or 2."""

    def __init__(self, name):
        self.folder = None
        self.perf_folder = self.make_perf_folder(name)
        for base, usage, scale in (("/sys/fs/cgroup/cpuacct", "cpuacct.usage", 1e9),
                                   ("/sys/fs/cgroup", "cpu.stat", 1e6), ("/sys/fs/cgroup/unified", "cpu.stat", 1e6)):
            folder = pathlib.Path(base) / f"ekiden-bench-{os.getpid()}-{name}"
            try:
                if not os.path.exists(f"{base}/cgroup.procs"):
                    continue
                folder.mkdir()
                if (folder / usage).exists():
                    self.folder, self.usage, self.scale = folder, usage, scale
                    return
                folder.rmdir()
            except OSError:
                continue
        raise BenchError("no writable control group hierarchy with CPU accounting below /sys/fs/cgroup")

    @staticmethod
    def make_perf_folder(name):
        """perf(1) wants a group of version 2; where CPU accounting is of version 1, that is another one. Or None."""
        for base in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
            if os.path.exists(f"{base}/cgroup.controllers"):
                folder = pathlib.Path(base) / f"ekiden-bench-{os.getpid()}-{name}-perf"
                try:
                    folder.mkdir()
                    return folder
                except OSError:
                    return None
        return None

    def enter(self):
        for folder in filter(None, (self.folder, self.perf_folder)):
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def cpu_seconds(self):
        text = (self.folder / self.usage).read_text()
        number = text if self.usage == "cpuacct.usage" else text.split("usage_usec", 1)[1].split()[0]
        return int(number) / self.scale

    def processes(self):
        return [int(line) for line in (self.folder / "cgroup.procs").read_text().split()]

    def memory(self):
        """(PSS of all processes, PSS of the largest one), in bytes."""
        sizes = []
        for process in self.processes():
            try:
                for line in open(f"/proc/{process}/smaps_rollup"):
                    if line.startswith("Pss:"):
                        sizes.append(int(line.split()[1]) * 1024)
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended meanwhile
        return sum(sizes), max(sizes, default=0)

    def close(self):
        for folder in filter(None, (self.folder, self.perf_folder)):
            try:
                folder.rmdir()
            except OSError:
                pass


class Server:
    """One of the two, in a folder of its own. `settings` of start() are lines of main.cf for one figure."""

    def __init__(self, name, bin_folder, work, environment, extra_cf, port=SMTP_PORT):
        self.name, self.bin, self.work, self.extra_cf, self.port = name, bin_folder, work / name, extra_cf, port
        self.environment = dict(os.environ, LC_ALL="C", MAIL_CONFIG=str(self.work / "etc"), **environment)
        self.meter = None

    @property
    def log(self):
        return self.work / "mail.log"

    def configure(self, settings=(), smtpd_limit="100"):
        etc = self.work / "etc"
        etc.mkdir(parents=True, exist_ok=True)
        # In place of what the common main.cf says: a name given twice would be warned of by each process that starts.
        names = {line.split("=")[0].strip() for line in settings}
        common = [line for line in MAIN_CF.format(folder=self.work).splitlines()
                  if line.split("=")[0].strip() not in names]
        (etc / "main.cf").write_text("\n".join([*common, self.extra_cf, *settings, ""]))
        # tlsproxy: without it Postfix keeps no connection that has TLS.
        own = f"127.0.0.1:{self.port} inet n - n - {smtpd_limit} smtpd\ntlsproxy unix - - n - 0 tlsproxy\n"
        (etc / "master.cf").write_text(own + inner_services())

    def fresh(self, settings=(), smtpd_limit="100"):
        """Empty folders and a configuration; nothing runs yet."""
        # Not deleted before the end: for minutes ext4 goes out of its way not to give deleted inodes out again, at a cost
        # that whoever makes files next would be charged with.
        set_aside(self.work)
        (self.work / "spool").mkdir(parents=True)
        (self.work / "lib").mkdir()
        os.chown(self.work / "lib", ACCOUNTS["postfix"], ACCOUNTS["postfix"])
        self.configure(settings, smtpd_limit)

    def start(self, wrapper=()):
        self.meter = Meter(self.name)
        command = [*wrapper, str(self.bin / "postfix"), "-c", str(self.work / "etc"), "start"]
        output = open(self.work / "start.txt", "ab")
        self.starter = subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=output,
                                        stderr=output, preexec_fn=self.meter.enter)
        if not wrapper and self.starter.wait(60) != 0:
            raise BenchError(f"{self.name} did not start: {self.tail()}")
        self.wait_for_banner()

    def wait_for_banner(self, limit=30):
        until = time.monotonic() + limit
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as probe:
                    if probe.recv(3) == b"220":
                        probe.sendall(b"QUIT\r\n")
                        return
            except OSError:
                pass
            time.sleep(0.02)
        raise BenchError(f"{self.name} does not greet on port {self.port}: {self.tail()}")

    def tail(self):
        texts = [path.read_text(errors="replace") for path in (self.work / "start.txt", self.log) if path.exists()]
        return "".join(texts).strip()[-800:]

    def command(self, name, *arguments, **more):
        return run([str(self.bin / name), "-c", str(self.work / "etc"), *arguments], env=self.environment, **more)

    def is_queue_empty(self):
        return "Mail queue is empty" in self.command("postqueue", "-p")

    def wait_until_queue_empty(self, limit=300):
        until = time.monotonic() + limit
        while not self.is_queue_empty():
            if time.monotonic() > until:
                raise BenchError(f"{self.name}: mail is still queued after {limit} s: {self.tail()}")
            time.sleep(0.2)

    def stop(self):
        if not self.meter:
            return
        stopped = subprocess.run([str(self.bin / "postfix"), "-c", str(self.work / "etc"), "stop"],
                                 env=self.environment, capture_output=True)
        until = time.monotonic() + 30
        while self.meter.processes() and time.monotonic() < until:
            time.sleep(0.02)
        for process in self.meter.processes():  # ours alone: they are members of this run's control group
            try:
                os.kill(process, 9)
            except ProcessLookupError:
                pass
        while self.meter.processes() and time.monotonic() < until + 10:
            time.sleep(0.02)
        reap_orphans()
        self.meter.close()
        self.meter = None
        return stopped.returncode


def postfix_server(cache, work):
    root = fetch_postfix(cache)
    libraries = f"{root}/usr/lib/postfix"
    extra = (f"command_directory = {root}/usr/sbin\ndaemon_directory = {libraries}/sbin\n"
             f"shlib_directory = {libraries}\n"
             f"meta_directory = {root}/etc/postfix\nsendmail_path = {root}/usr/sbin/sendmail\n"
             f"mailq_path = {root}/usr/sbin/mailq\nnewaliases_path = {root}/usr/sbin/newaliases\n"
             f"import_environment = MAIL_CONFIG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH={libraries}\n"
             "export_environment = TZ LANG LD_LIBRARY_PATH MAIL_CONFIG\n")
    return Server("postfix", root / "usr/sbin", work, {"LD_LIBRARY_PATH": libraries}, extra)


def ekiden_server(build_bin, cache, work):
    return Server("ekiden", ekiden_programs(build_bin, cache), work, {}, "")


def far_side(build_bin, cache, folder):
    """Ekiden again, as the host that both relay to; in `folder`, best in memory: its disk is not what is measured."""
    return Server("far", ekiden_programs(build_bin, cache), folder, {}, "", SINK_PORT)


def ekiden_programs(build_bin, cache):
    """The build folder; where only the one program is there, its names are links beside the cache."""
    if (build_bin / "postfix").exists():
        return build_bin
    program = build_bin / "ekiden"
    if not program.exists():
        raise BenchError(f"{program} is not built (./do build)")
    links = cache / "links"
    links.mkdir(parents=True, exist_ok=True)
    for name in COMMANDS:
        link = links / name
        link.unlink(missing_ok=True)
        link.symlink_to(program)
    return links
