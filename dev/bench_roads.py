"""Figures of whole roads: relaying over TLS, long lists, and live destinations among dead ones.

As in bench_figures, each measures one server once and returns {measure: value}. What has arrived is counted in the
server's own log, which both write in the same words.
"""

import contextlib
import re
import socket
import statistics
import threading
import time

from bench_figures import CLIENTS, Sink, raise_descriptor_limit, until_arrived, wait_for_log, with_cpu
from bench_servers import (ACCOUNTS, DEAD_PORT, MEMBERS, SILENT_PORT, SINK_PORT, SLOW_PORT, BenchError, far_side,
                           make_certificate, run, set_aside)

RECIPIENTS = 1000          # of one message in the figures of lists
PATIENCE = 60              # seconds that live mail may take among the dead; what is later counts as this


@contextlib.contextmanager
def far_server(options):
    """An smtpd with STARTTLS that throws everything away, its queue in memory (gone with this name space)."""
    folder = options.cache / "run/far-memory"
    folder.mkdir(exist_ok=True)
    run(["mount", "-t", "tmpfs", "-o", "mode=755", "bench-far", str(folder)])
    far = far_side(options.build, options.cache, folder)
    far.fresh(["default_transport = discard", f"smtpd_tls_chain_files = {make_certificate(options.cache)}",
               "smtpd_tls_security_level = may", "smtpd_tls_loglevel = 0"])
    try:
        far.start()
        yield far
    finally:
        far.stop()
        run(["umount", "-l", str(folder)])


def relay_over_tls(server, load, options, *settings):
    with far_server(options):
        server.fresh([f"relayhost = [127.0.0.1]:{SINK_PORT}", "smtp_tls_security_level = encrypt", "smtp_tls_loglevel = 0",
                      *settings])
        server.start()
        load.send(CLIENTS * 5, "user@relay.test")
        server.wait_until_queue_empty()
        sent = wait_for_log(server, b"status=sent", CLIENTS * 5)
        return with_cpu(server, options.messages,
                        lambda: until_arrived(load, options.messages, "user@relay.test",
                                              lambda: wait_for_log(server, b"status=sent", options.messages, sent)))


def relay_tls(server, load, options):
    return relay_over_tls(server, load, options, "smtp_tls_connection_reuse = yes")


def relay_tls_default(server, load, options):
    return relay_over_tls(server, load, options, "smtp_tls_connection_reuse = no")


def to_many(server, load, messages, recipient, line, lines_each):
    """Recipients per second and their CPU time: `messages` messages to many, after one that is not counted."""
    load.send(1, recipient, "-s", "1", "-r", str(RECIPIENTS))
    seen = wait_for_log(server, line, lines_each)
    server.wait_until_queue_empty()
    result = with_cpu(server, messages * RECIPIENTS,
                      lambda: until_arrived(load, messages, recipient,
                                            lambda: wait_for_log(server, line, messages * lines_each, seen),
                                            "-s", "1", "-d", "-r", str(RECIPIENTS)))
    return {"recipients_per_second": result["messages_per_second"],
            "cpu_seconds_per_1000_recipients": result["cpu_seconds_per_1000"]}


def list_count(options):
    return max(2, options.messages // 1000)


def list_virtual(server, load, options):
    """One message to a thousand virtual mailboxes, each a Maildir of its own."""
    boxes = options.home / "boxes"
    set_aside(boxes)
    boxes.mkdir()
    boxes.chmod(0o777)
    number = ACCOUNTS["bench"]
    server.fresh([f"virtual_mailbox_base = {boxes}", "virtual_mailbox_domains = list.test", "virtual_minimum_uid = 1",
                  f"virtual_uid_maps = static:{number}", f"virtual_gid_maps = static:{number}",
                  f"virtual_mailbox_maps = texthash:{server.work}/etc/boxes"])
    names = ["user", *(f"{i}user" for i in range(1, RECIPIENTS + 1))]
    (server.work / "etc/boxes").write_text("".join(f"{name}@list.test {name}/\n" for name in names))
    server.start()
    result = to_many(server, load, list_count(options), "user@list.test", b"status=sent", RECIPIENTS)
    set_aside(boxes)
    return result


def list_discard(server, load, options):
    """One message to a thousand recipients whom nobody delivers to: acceptance, queue and log alone."""
    server.fresh(["default_transport = discard"])
    server.start()
    return to_many(server, load, list_count(options) * 3, "user@relay.test", b"status=sent", RECIPIENTS)


def list_remote(server, load, options):
    """One message to a thousand recipients behind one host."""
    server.fresh([f"relayhost = [127.0.0.1]:{SINK_PORT}"])
    with Sink(load, counts=False):
        server.start()
        return to_many(server, load, list_count(options) * 3, "user@relay.test", b"status=sent", RECIPIENTS)


def list_alias(server, load, options):
    """One message to an alias of a thousand local users, a Maildir each."""
    server.fresh([f"alias_maps = hash:{server.work}/etc/aliases", f"alias_database = hash:{server.work}/etc/aliases"])
    members = ", ".join(f"member{i}" for i in range(MEMBERS))
    (server.work / "etc/aliases").write_text(f"everybody: {members}\n")
    server.command("postalias", f"hash:{server.work}/etc/aliases")
    for i in range(MEMBERS):
        set_aside(options.home / f"member{i}" / "Maildir")
    server.start()
    line = re.compile(rb"to=<member.*status=sent")
    load.send(1, "everybody@bench.test", "-s", "1")
    seen = wait_for_log(server, line, MEMBERS)
    server.wait_until_queue_empty()
    messages = list_count(options)
    result = with_cpu(server, messages * MEMBERS,
                      lambda: until_arrived(load, messages, "everybody@bench.test",
                                            lambda: wait_for_log(server, line, messages * MEMBERS, seen), "-s", "1"))
    return {"recipients_per_second": result["messages_per_second"],
            "cpu_seconds_per_1000_recipients": result["cpu_seconds_per_1000"]}


class Unwilling:
    """Hosts that accept connections: those on SILENT_PORT say nothing, those on SLOW_PORT answer each command late."""

    DELAY = 1.0

    def __enter__(self):
        self.is_over = False
        self.listeners = []
        for port, talk in ((SILENT_PORT, self.be_silent), (SLOW_PORT, self.be_slow)):
            listener = socket.create_server(("0.0.0.0", port), backlog=4096)
            self.listeners.append(listener)
            threading.Thread(target=self.accept, args=(listener, talk), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        for listener in self.listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def accept(self, listener, talk):
        while not self.is_over:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    def be_silent(self, connection):
        with connection, contextlib.suppress(OSError):
            while not self.is_over and connection.recv(4096):
                pass

    def be_slow(self, connection):
        with connection, contextlib.suppress(OSError):
            lines = connection.makefile("rb")
            self.say(connection, b"220 slow.test ESMTP")
            is_content = False
            for line in lines:
                if is_content and line != b".\r\n":
                    continue
                verb = line[:4].upper()
                is_content = verb == b"DATA"
                self.say(connection, b"354 go on" if is_content else b"221 bye" if verb == b"QUIT" else b"250 ok")
                if verb == b"QUIT":
                    return

    def say(self, connection, text):
        time.sleep(self.DELAY)
        connection.sendall(text + b"\r\n")


def transport_table(messages, beside):
    """Every even hundred of the numbered recipients is one of a hundred live hosts, every odd one of a hundred of which thirty
    are dead (nobody listens), forty silent and thirty slow; without those, theirs is thrown away. A destination of the queue
    is the next hop as written, so these are two hundred. Returns the table and how many messages are for live hosts."""
    lines, live = [], 0
    for number in range(1, messages + 1):
        host = 100 + number % 100
        if number // 100 % 2 == 0:
            hop, live = f"smtp:[127.0.1.{host}]:{SINK_PORT}", live + 1
        elif not beside:
            hop = "discard:"
        else:
            port = DEAD_PORT if host < 130 else SILENT_PORT if host < 170 else SLOW_PORT
            hop = f"smtp:[127.0.2.{host}]:{port}"
        lines.append(f"{number}user@scattered.test {hop}\n")
    return "".join(lines), live


def live_delays(server, load, options, beside):
    """Sorted delays, in seconds, of the mail for live hosts, and how much of it did not arrive in time."""
    messages = options.scattered
    server.fresh([f"transport_maps = texthash:{server.work}/etc/transport", "smtp_helo_timeout = 20s",
                  "smtp_connect_timeout = 20s", "initial_destination_concurrency = 5"])
    table, live = transport_table(messages, beside)
    (server.work / "etc/transport").write_text(table)
    line = re.compile(rb"relay=127\.0\.1\..*status=sent")
    raise_descriptor_limit(5000)   # of those who take the connections: no far side may be what mail waits for
    with Sink(load, "0.0.0.0", 4000, counts=False), Unwilling():
        server.start()
        load.send(messages, "user@scattered.test", "-N", "-d")
        with contextlib.suppress(BenchError):
            wait_for_log(server, line, live, limit=PATIENCE)
        server.stop()
    found = [float(m) for m in re.findall(rb"relay=127\.0\.1\.[^\n]*?, delay=([\d.]+), [^\n]*status=sent", server.log.read_bytes())]
    if not found:
        raise BenchError(f"{server.name}: no mail for live hosts arrived: {server.tail()}")
    late = max(0, live - len(found))
    return sorted(found + [float(PATIENCE)] * late), late


def scattered(server, load, options):
    """Ten thousand messages to two hundred hosts of which half do not do their part; the same without that half's mail."""
    result = {}
    for name in ("alone", "beside"):
        delays, late = live_delays(server, load, options, name == "beside")
        result[f"{name}_median_s"] = statistics.median(delays)
        result[f"{name}_percentile_95_s"] = delays[int(len(delays) * 0.95)]
        if name == "beside":
            result["late"] = late
    result["median_growth_s"] = result["beside_median_s"] - result["alone_median_s"]
    result["percentile_95_growth_s"] = result["beside_percentile_95_s"] - result["alone_percentile_95_s"]
    return result


FIGURES = {"relay-tls": relay_tls, "relay-tls-default": relay_tls_default, "list-discard": list_discard,
           "list-virtual": list_virtual, "list-remote": list_remote, "list-alias": list_alias, "scattered": scattered}
ONCE = ("scattered",)
