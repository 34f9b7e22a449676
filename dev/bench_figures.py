"""The figures: each measures one server once and returns numbers; `dev/bench` alternates the servers and reports.

A figure returns {measure: value}. Messages per second and CPU are taken in the same run; the CPU of a run is that of
all the server's processes, from before the first byte until the queue is empty again.
"""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

from bench_servers import (ACCOUNTS, DEAD_PORT, SINK_PORT, SMTP_PORT, BenchError, make_certificate, make_login,
                           set_aside)

PAYLOAD = 5120
CLIENTS = 20
MORE_CLIENTS = 60  # fewer than the hundred processes of Postfix
CROWD = 10_000  # idle connections that only Ekiden is asked to hold: as processes of Postfix they want 12 GiB
USER, PASSWORD = "sender", "a-secret-of-20-chars"

AUTH_CF = ["smtpd_sasl_auth_enable = yes", "smtpd_sasl_type = cyrus", "smtpd_sasl_path = smtpd",
           "smtpd_sasl_security_options = noanonymous", "broken_sasl_auth_clients = no"]
TLS_CF = ["smtpd_tls_security_level = may", "smtpd_tls_loglevel = 0"]
# Names of smtp-source's own kind, not of Postfix's: these figures need Ekiden's program as the load of both servers.
AUTH_LOAD = ("--auth", "plain", "--user", f"{USER}:{PASSWORD}", "--no-mail", "--latency")
TLS_LOAD = ("--starttls", "--latency")


class Load:
    """smtp-source and smtp-sink: the same pair for both servers."""

    def __init__(self, source, sink, environment):
        self.source, self.sink, self.environment = str(source), str(sink), dict(os.environ, **environment)

    def command(self, messages, recipient, *more):
        return [self.source, "-s", str(CLIENTS), "-l", str(PAYLOAD), "-m", str(messages), "-f", "sender@bench.test",
                "-t", recipient, *more, f"127.0.0.1:{SMTP_PORT}"]

    def send(self, messages, recipient, *more):
        """Seconds from the first connection to the last reply."""
        return self.send_and_listen(messages, recipient, *more)[0]

    def send_and_listen(self, messages, recipient, *more):
        """The same, and what smtp-source said."""
        begin = time.monotonic()
        done = subprocess.run(self.command(messages, recipient, *more), env=self.environment, capture_output=True,
                              text=True)
        if done.returncode != 0:
            raise BenchError(f"smtp-source: exit {done.returncode}: {done.stderr.strip()[-400:]}")
        return time.monotonic() - begin, done.stdout

    def start(self, messages, recipient, *more):
        return subprocess.Popen(self.command(messages, recipient, *more), env=self.environment,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


class Sink:
    """A running smtp-sink that counts; leaving the context ends it."""

    def __init__(self, load, address="127.0.0.1", sessions=1000, counts=True):
        self.load, self.address, self.sessions, self.counts = load, address, sessions, counts

    def __enter__(self):
        # Counts that nobody reads would fill the pipe, and then the sink stops.
        command = [self.load.sink, "-u", "nobody", *(["-c"] if self.counts else []), "-m", str(self.sessions), f"{self.address}:{SINK_PORT}", "1000"]
        self.process = subprocess.Popen(command, env=self.load.environment, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.seen = b""
        until = time.monotonic() + 10
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", SINK_PORT), 1).close()
                return self
            except OSError:
                time.sleep(0.02)
        raise BenchError("smtp-sink does not listen")

    def wait_for(self, messages, limit=600):
        until = time.monotonic() + limit
        while time.monotonic() < until:
            try:
                data = os.read(self.process.stdout.fileno(), 1 << 16)
            except BlockingIOError:
                time.sleep(0.01)
                continue
            if not data:
                raise BenchError("smtp-sink ended early: " + self.process.stderr.read().decode()[-300:])
            self.seen = (self.seen + data)[-200:]
            counts = re.findall(rb"mesg=(\d+)\r", self.seen)
            if counts and int(counts[-1]) >= messages:
                return
        raise BenchError(f"smtp-sink has not seen {messages} messages after {limit} s")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate()


def with_cpu(server, messages, action):
    before = server.meter.cpu_seconds()
    seconds = action()
    server.wait_until_queue_empty()
    cpu = server.meter.cpu_seconds() - before
    return {"messages_per_second": messages / seconds, "cpu_seconds_per_1000": cpu / messages * 1000}


def warm(load, recipient):
    """The first messages pay for starting processes and opening files; they are not counted."""
    load.send(CLIENTS * 5, recipient)


def injection(server, load, messages, *more):
    # Nothing may leave, or the figure would be one of disks and networks behind the server. `discard` is the cheapest
    # transport both have: every message is accepted, made durable, scheduled, settled and removed, and no more.
    server.fresh(["default_transport = discard"])
    server.start()
    warm(load, "user@discard.test")
    server.wait_until_queue_empty()
    return with_cpu(server, messages, lambda: load.send(messages, "user@discard.test", *more))


def inject(server, load, options):
    return injection(server, load, options.messages)


def inject_reusing(server, load, options):
    return injection(server, load, options.messages, "-d")


def with_latency(server, load, count, what, *more):
    """`what` ("sessions", "messages") per second, their CPU time, and the latencies that smtp-source tells at the end."""
    said = []

    def action():
        seconds, text = load.send_and_listen(count, "user@discard.test", *more)
        said.append(text)
        return seconds

    cpu = with_cpu(server, count, action)
    times = dict(re.findall(r"(50|99)% ([\d.]+)", said[0]))
    if len(times) != 2:
        raise BenchError(f"smtp-source tells no latencies: {said[0]!r}")
    return {f"{what}_per_second": cpu["messages_per_second"],
            f"cpu_seconds_per_1000_{what}": cpu["cpu_seconds_per_1000"],
            "median_ms": float(times["50"]), "percentile_99_ms": float(times["99"])}


def auth(server, load, options, *more):
    """Sessions that say EHLO, AUTH PLAIN and QUIT: a database lookup and a comparison, through Cyrus SASL on both sides."""
    server.fresh(["default_transport = discard", *AUTH_CF])
    make_login(server.work / "etc/sasl", USER, PASSWORD, "bench.test")
    server.start()
    load.send(MORE_CLIENTS * 5, "user@discard.test", *AUTH_LOAD, *more)
    # They are short: as many as messages would be over in a third of a second.
    return with_latency(server, load, 5 * options.messages, "sessions", *AUTH_LOAD, *more)


def auth_many(server, load, options):
    return auth(server, load, options, "-s", str(MORE_CLIENTS))


def tls(server, load, options):
    """Injection again, each message over a connection of its own with a whole handshake."""
    chain = make_certificate(options.cache)
    server.fresh(["default_transport = discard", f"smtpd_tls_chain_files = {chain}", *TLS_CF])
    server.start()
    load.send(CLIENTS * 5, "user@discard.test", *TLS_LOAD)
    server.wait_until_queue_empty()
    return with_latency(server, load, options.messages, "messages", *TLS_LOAD)


def until_arrived(load, messages, recipient, wait, *more):
    begin = time.monotonic()
    source = load.start(messages, recipient, *more)
    wait()
    seconds = time.monotonic() - begin
    _, trouble = source.communicate()
    if source.returncode != 0:
        raise BenchError(f"smtp-source: exit {source.returncode}: {trouble.strip()[-400:]}")
    return seconds


def relay(server, load, options):
    server.fresh([f"relayhost = [127.0.0.1]:{SINK_PORT}"])
    with Sink(load) as sink:
        server.start()
        warm(load, "user@relay.test")
        sink.wait_for(CLIENTS * 5)
        server.wait_until_queue_empty()
        total = options.messages + CLIENTS * 5
        return with_cpu(server, options.messages,
                        lambda: until_arrived(load, options.messages, "user@relay.test", lambda: sink.wait_for(total)))


def maildir(server, load, options):
    folder = options.home / "Maildir"
    set_aside(folder)
    server.fresh()
    server.start()
    warm(load, "bench@bench.test")
    server.wait_until_queue_empty()

    def wait_for_files():
        until = time.monotonic() + 600
        while (missing := options.messages + CLIENTS * 5 - len(os.listdir(folder / "new"))) > 0:
            if time.monotonic() > until:
                raise BenchError(f"{server.name}: not all messages are in the Maildir: {server.tail()}")
            time.sleep(min(0.2, max(0.01, missing / 10_000)))   # listing a large folder takes the server's time away

    result = with_cpu(server, options.messages,
                      lambda: until_arrived(load, options.messages, "bench@bench.test", wait_for_files))
    set_aside(folder)
    return result


SYNC_CALLS = ("fsync", "fdatasync", "sync_file_range", "syncfs", "sync", "msync")


def syncs(server, load, options):
    """System calls counted by the kernel. Under strace the committing thread stops at each, which halves the batches."""
    if not shutil.which("perf"):
        raise BenchError("perf is not installed (apt-get install linux-perf)")
    server.fresh(["default_transport = discard"])
    server.start()
    if not server.meter.perf_folder:
        raise BenchError("no control group of version 2 for perf")
    warm(load, "user@discard.test")
    server.wait_until_queue_empty()

    counted = server.work / "perf.txt"
    events = ",".join(f"syscalls:sys_enter_{call}" for call in SYNC_CALLS)
    perf = subprocess.Popen(["perf", "stat", "-a", "-x", ",", "-o", str(counted), "-e", events, "--for-each-cgroup",
                             server.meter.perf_folder.name], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    try:
        seconds = load.send(options.messages, "user@discard.test")
        server.wait_until_queue_empty()
    finally:
        perf.send_signal(signal.SIGINT)
        _, trouble = perf.communicate()
    found = re.findall(r"^(\d+),[^,]*,syscalls:", counted.read_text() if counted.exists() else "", re.MULTILINE)
    if len(found) != len(SYNC_CALLS):
        raise BenchError(f"perf does not count system calls: {trouble.strip()[-300:]}")
    return {"syncs_per_message": sum(map(int, found)) / options.messages,
            "messages_per_second": options.messages / seconds}


def memory(server, load, options):
    return hold(server, options.connections)


def crowd(server, load, options):
    return hold(server, options.crowd)


def hold(server, connections):
    raise_descriptor_limit(connections + 200)
    server.fresh(["default_transport = discard", f"default_process_limit = {connections + 100}",
                  "smtpd_client_connection_rate_limit = 0", "smtpd_timeout = 300s"], smtpd_limit=str(connections + 100))
    server.start()
    time.sleep(1)
    idle, idle_engine = server.meter.memory()
    held = []
    try:
        for _ in range(connections):
            held.append(socket.create_connection(("127.0.0.1", SMTP_PORT), 60))
        for connection in held:
            if connection.recv(3) != b"220":
                raise BenchError(f"{server.name}: connection {held.index(connection)} was not greeted")
        time.sleep(0.5)
        full, full_engine = server.meter.memory()
    finally:
        for connection in held:
            connection.close()
    mib = 1 << 20
    return {"idle_mib": idle / mib, "idle_engine_mib": idle_engine / mib, "connected_mib": full / mib,
            "connected_engine_mib": full_engine / mib}


def raise_descriptor_limit(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))


def timed(action):
    begin = time.monotonic()
    action()
    return time.monotonic() - begin


def deferred(server, load, options):
    """A queue full of mail for a host that is down; then a restart, with the host back but silent."""
    backoff = 30
    messages = options.deferred
    # Nothing retries while the queue is filled and measured; after the restart everything is due.
    server.fresh([f"relayhost = [127.0.0.1]:{DEAD_PORT}", f"minimal_backoff_time = {backoff}s",
                  f"maximal_backoff_time = {backoff}s", "queue_run_delay = 3600s"])
    server.start()
    filled = load.send(messages, "user@deferred.test", "-d")
    wait_for_log(server, b"status=deferred", messages, limit=900)
    last = time.monotonic()
    time.sleep(1)
    total, engine = server.meter.memory()
    listing = timed(lambda: count_listed(server, messages))
    listing_json = timed(lambda: server.command("postqueue", "-j"))
    server.stop()

    time.sleep(max(0, last + backoff + 1 - time.monotonic()))
    with socket.create_server(("127.0.0.1", DEAD_PORT)) as listener:
        listener.settimeout(300)
        begin = time.monotonic()
        server.start()
        connection, _ = listener.accept()
        first_attempt = time.monotonic() - begin
        connection.close()
    removal, calls = 0, 0
    while not server.is_queue_empty():  # a message that moves between two queues meanwhile can escape a call
        if calls == 20:
            raise BenchError(f"{server.name}: mail is left after {calls} times postsuper -d ALL")
        removal += timed(lambda: server.command("postsuper", "-d", "ALL"))
        calls += 1
    mib = 1 << 20
    return {"fill_messages_per_second": messages / filled, "first_attempt_seconds": first_attempt,
            "postqueue_seconds": listing, "postqueue_json_seconds": listing_json, "postsuper_seconds": removal, "postsuper_calls": calls,
            "deferred_mib": total / mib, "deferred_engine_mib": engine / mib}


def count_listed(server, messages):
    """postqueue -p must list every message; its last line says how many there are."""
    text = server.command("postqueue", "-p")
    found = re.search(r"in (\d+) Requests?\.\s*$", text)
    if not found or int(found[1]) != messages:
        raise BenchError(f"{server.name}: postqueue -p lists {found[1] if found else 'no'} messages, not {messages}")


class LogPosition:
    """How far a log was read, and the beginning of a line that was not complete then."""

    def __init__(self):
        self.offset, self.rest = 0, b""


def wait_for_log(server, what, count, position=None, limit=300):
    """Until the log has `count` lines with `what` (bytes or a pattern) behind `position`; returns how far it was read."""
    position = position or LogPosition()
    seen, until = 0, time.monotonic() + limit
    has = what.search if hasattr(what, "search") else lambda line: what in line
    while seen < count:
        with open(server.log, "rb") as log:
            log.seek(position.offset)
            while block := log.read(1 << 20):
                position.offset += len(block)
                lines = (position.rest + block).split(b"\n")
                position.rest = lines.pop()
                seen += sum(1 for line in lines if has(line))
        if seen < count:
            if time.monotonic() > until:
                raise BenchError(f"{server.name}: the log has {seen} of {count} lines with {what!r} after {limit} s")
            time.sleep(0.02)
    return position


FIGURES = {"inject": inject, "inject-reusing": inject_reusing, "relay": relay, "maildir": maildir, "auth": auth,
           "auth-many": auth_many, "tls": tls, "syncs": syncs, "memory": memory, "crowd": crowd, "deferred": deferred}
ONCE = ("memory", "crowd", "deferred")  # not noisy, or too long to repeat
EKIDEN_ONLY = ("crowd",)
