"""The page: a table of figures, the targets and whether they are reached, and how everything was measured."""

import datetime
import os
import platform
import re
import statistics

from bench_figures import CLIENTS, MORE_CLIENTS, PAYLOAD
from bench_servers import DEAD_PORT, MAIN_CF, SINK_PORT, SMTP_PORT

TITLES = {
    "inject": "durable injection, one connection for each message",
    "inject-reusing": "durable injection, connections kept (`-d`)",
    "relay": "relay, end to end",
    "maildir": "delivery into a Maildir, end to end",
    "auth": "AUTH PLAIN against sasldb2, no message",
    "auth-many": f"AUTH PLAIN against sasldb2, no message, {MORE_CLIENTS} clients",
    "tls": "durable injection over STARTTLS, one connection for each message",
    "syncs": "syncs",
    "relay-tls": "relay over TLS, connections used again",
    "relay-tls-default": "relay over TLS, default settings",
    "list-discard": "one message to 1,000 recipients, discarded",
    "list-virtual": "one message to 1,000 virtual Maildirs",
    "list-remote": "one message to 1,000 recipients behind one host",
    "list-alias": "one message to an alias of 1,000 local users",
    "scattered": "mail for 100 live hosts, without and beside mail for 100 dead, silent and slow ones",
    "postconf": "`postconf`",
    "postmap": "`postmap`, 1,000,000 keys (`--quick`: 50,000)",
    "memory": "memory",
    "crowd": "memory, 10,000 idle connections (`--quick`: 1,000)",
    "deferred": "deferred mail",
}
MEASURES = {
    "messages_per_second": ("messages/s", "higher"),
    "cpu_seconds_per_1000": ("CPU s per 1,000 messages", "lower"),
    "sessions_per_second": ("sessions/s", "higher"),
    "cpu_seconds_per_1000_sessions": ("CPU s per 1,000 sessions", "lower"),
    "cpu_seconds_per_1000_messages": ("CPU s per 1,000 messages", "lower"),
    "median_ms": ("median latency, ms", "lower"),
    "percentile_99_ms": ("99th percentile latency, ms", "lower"),
    "recipients_per_second": ("recipients/s", "higher"),
    "cpu_seconds_per_1000_recipients": ("CPU s per 1,000 recipients", "lower"),
    "alone_median_s": ("median delay of live mail without the others, s", "lower"),
    "beside_median_s": ("median delay of live mail beside them, s", "lower"),
    "alone_percentile_95_s": ("95th percentile without the others, s", "lower"),
    "beside_percentile_95_s": ("95th percentile beside them, s", "lower"),
    "median_growth_s": ("what the others add to the median, s", "lower"),
    "percentile_95_growth_s": ("what the others add to the 95th percentile, s", "lower"),
    "late": ("live messages that had not arrived after 60 s", "lower"),
    "all_ms": ("all parameters, ms", "lower"),
    "changed_ms": ("`-n`, ms", "lower"),
    "hash_make_s": ("hash: made, s", "lower"),
    "hash_ask_s": ("hash: a tenth of the keys asked for with `-q -`, s", "lower"),
    "lmdb_make_s": ("lmdb: made, s", "lower"),
    "lmdb_ask_s": ("lmdb: a tenth of the keys asked for with `-q -`, s", "lower"),
    "syncs_per_message": ("syncs per message", "lower"),
    "idle_mib": ("idle, all processes, MiB", "lower"),
    "idle_engine_mib": ("idle, largest process, MiB", "lower"),
    "connected_mib": ("with idle connections, all processes, MiB", "lower"),
    "connected_engine_mib": ("with idle connections, largest process, MiB", "lower"),
    "fill_messages_per_second": ("messages/s while the queue fills", "higher"),
    "first_attempt_seconds": ("start until first delivery attempt, s", "lower"),
    "postqueue_seconds": ("`postqueue -p`, s", "lower"),
    "postqueue_json_seconds": ("`postqueue -j`, s", "lower"),
    "postsuper_seconds": ("`postsuper -d ALL`, s", "lower"),
    "postsuper_calls": ("calls of postsuper until the queue was empty", "lower"),
    "deferred_mib": ("all processes, MiB", "lower"),
    "deferred_engine_mib": ("largest process, MiB", "lower"),
}
# (figure, measure, "ratio" against Postfix or "value" of Ekiden, "least" or "most", number)
TARGETS = [
    ("inject", "messages_per_second", "ratio", "least", 4),
    ("inject", "cpu_seconds_per_1000", "ratio", "most", 1 / 8),
    ("relay", "messages_per_second", "ratio", "least", 4),
    ("maildir", "messages_per_second", "ratio", "least", 3),
    ("auth", "sessions_per_second", "ratio", "least", 3),
    ("auth-many", "sessions_per_second", "ratio", "least", 3),
    ("tls", "messages_per_second", "ratio", "least", 3),
    ("syncs", "syncs_per_message", "value", "most", 0.3),
    ("relay-tls", "messages_per_second", "ratio", "least", 5),
    ("list-discard", "recipients_per_second", "ratio", "least", 3),
    ("list-virtual", "recipients_per_second", "ratio", "least", 3),
    ("list-remote", "recipients_per_second", "ratio", "least", 3),
    ("list-alias", "recipients_per_second", "ratio", "least", 3),
    ("scattered", "median_growth_s", "value", "most", 0.05),
    ("scattered", "percentile_95_growth_s", "value", "most", 0.1),
    ("postconf", "all_ms", "ratio", "most", 1),
    ("postconf", "changed_ms", "ratio", "most", 1),
    ("postmap", "hash_make_s", "ratio", "most", 1),
    ("postmap", "hash_ask_s", "ratio", "most", 1),
    ("postmap", "lmdb_make_s", "ratio", "most", 1),
    ("postmap", "lmdb_ask_s", "ratio", "most", 1),
    ("memory", "connected_engine_mib", "value", "most", 64),
    ("deferred", "first_attempt_seconds", "value", "most", 2),
    ("deferred", "postqueue_seconds", "value", "most", 1),
    ("deferred", "postqueue_seconds", "ratio", "most", 1),
    ("deferred", "postqueue_json_seconds", "ratio", "most", 1),
    ("deferred", "deferred_engine_mib", "value", "most", 100),
]


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def spread(values):
    if not values:
        return "—"
    if len(values) == 1:
        return number(values[0])
    return f"{number(statistics.median(values))} ({number(min(values))}–{number(max(values))})"


def values_of(results, figure, server, measure):
    return [result[measure] for result in results.get(figure, {}).get(server, []) if measure in result]


def ratio(results, figure, measure):
    ours, theirs = (values_of(results, figure, server, measure) for server in ("ekiden", "postfix"))
    if not ours or not theirs or statistics.median(theirs) == 0:
        return None
    return statistics.median(ours) / statistics.median(theirs)


def table(results):
    lines = ["| figure | measure | Ekiden | Postfix | Ekiden / Postfix |", "| --- | --- | --- | --- | --- |"]
    for figure in results:
        for measure, (words, better) in MEASURES.items():
            cells = [spread(values_of(results, figure, server, measure)) for server in ("ekiden", "postfix")]
            if cells == ["—", "—"]:
                continue
            quotient = ratio(results, figure, measure)
            shown = f"{quotient:.2g} ({better} is better)" if quotient is not None else "—"
            lines.append(f"| {TITLES[figure]} | {words} | {cells[0]} | {cells[1]} | {shown} |")
    return lines


def targets(results):
    lines = ["| figure | measure | target | measured | reached |", "| --- | --- | --- | --- | --- |"]
    for figure, measure, kind, bound, limit in TARGETS:
        if figure not in results:
            continue
        ours = values_of(results, figure, "ekiden", measure)
        measured = ratio(results, figure, measure) if kind == "ratio" else statistics.median(ours) if ours else None
        wanted = f"at {bound} {limit:.3g}" + (" x Postfix" if kind == "ratio" else "")
        if measured is None:
            lines.append(f"| {TITLES[figure]} | {MEASURES[measure][0]} | {wanted} | — | not measured |")
            continue
        is_reached = measured >= limit if bound == "least" else measured <= limit
        answer = "yes" if is_reached else "no"
        lines.append(f"| {TITLES[figure]} | {MEASURES[measure][0]} | {wanted} | {measured:.3g} | {answer} |")
    return lines


def file_system(folder):
    best = ("", "?", "?")
    for line in open("/proc/self/mounts"):
        device, point, kind, *_ = line.split()
        if str(folder).startswith(point) and len(point) >= len(best[0]):
            best = (point, kind, device)
    return best[1]


def processor():
    found = re.search(r"model name\s*:\s*(.+)", open("/proc/cpuinfo").read())
    return found[1] if found else platform.machine()


def page(options, results, troubles, load, servers, work):
    pair = "Ekiden's" if any(s.name == "ekiden" for s in servers) else "Postfix's"
    source = (f"smtp-source -s {CLIENTS} -l {PAYLOAD} -m {options.messages} -f sender@bench.test -t RECIPIENT "
              f"127.0.0.1:{SMTP_PORT}")
    lines = [
        "# Benchmarks", "",
        "Written by `./do bench`; do not edit. Both servers run on the same machine, in turn, with the same main.cf and the",
        "same load. Shown are medians, with the smallest and the largest run in brackets.", "",
        f"- {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, Linux {platform.release()}, {os.cpu_count()} CPUs "
        f"({processor()}), queue and mailboxes on {file_system(work)}",
        f"- {options.messages} messages of {PAYLOAD} bytes, {CLIENTS} clients, {options.rounds} rounds; "
        f"{options.connections} idle connections; {options.deferred} deferred messages",
        f"- Postfix: Debian's package; load: {pair} smtp-source and smtp-sink for both", "",
        *table(results), "", "## Targets", "", *targets(results), "",
    ]
    if troubles:
        lines += ["## What did not work", "", *(f"- {' '.join(trouble.split())}" for trouble in troubles), ""]
    lines += [
        "## How it is measured", "",
        "Everything runs in private mount and network namespaces, on loopback. CPU time is that of the server's control",
        "group: all its processes, those that have ended included, from the first connection until the queue is empty.",
        "Memory is proportional set size. A hundred messages warm each server up and are not counted.", "",
        f"- *injection*: `{source}`,",
        "  and with `-d`; `default_transport = discard`, so that both accept, make durable, schedule, settle and remove every",
        "  message, and nothing behind the server is measured with it.",
        f"- *relay*: the same, with `relayhost = [127.0.0.1]:{SINK_PORT}` and "
        f"`smtp-sink -c -m 1000 127.0.0.1:{SINK_PORT} 1000`;",
        "  from the first connection until the sink has counted the last message.",
        "- *Maildir*: the same, to one local user with `home_mailbox = Maildir/`; until the last file is in `new/`.",
        "- *syncs*: the first injection again; fsync, fdatasync, sync_file_range, syncfs, sync and msync of all the server's",
        "  processes, counted by `perf stat --for-each-cgroup`. Messages that arrive during a sync share the next one, so the",
        "  figure is lower where messages arrive faster: it is best compared together with the messages/s beside it.",
        "- *memory*: connections that have been greeted and say nothing.",
        "- *AUTH*: sessions of EHLO, AUTH PLAIN and QUIT, each over a connection of its own, `smtp-source --auth plain --no-mail`;",
        "  `smtpd_sasl_type = cyrus`, `pwcheck_method: auxprop`, and one sasldb2 made by `saslpasswd2`. Latency: from the",
        f"  connection until 235. Twenty clients leave both CPUs waiting for each other now and then; {MORE_CLIENTS} do not.",
        "- *STARTTLS*: the injection with `smtp-source --starttls`: TLS 1.3, one ECDSA P-256 certificate for both, whole",
        "  handshakes (the client resumes none). Latency: from the connection until the message is accepted.",
        "- *relay over TLS*: the relay figure with `smtp_tls_security_level = encrypt` and, where connections are used again,",
        "  `smtp_tls_connection_reuse = yes` (the default is no, and Ekiden uses them again all the same); the far side of both is Ekiden's smtpd, its queue in memory, its CPU not counted,",
        "  which throws all mail away; until the server's log says `status=sent` for the last.",
        "- *1,000 recipients*: `smtp-source -s 1 -r 1000`, counted in the log; the first message, which makes the mailboxes, is",
        "  not counted. The alias is `everybody: member0, member1, …` in a `hash:` table; each member has a Maildir.",
        f"- *live among dead*: {options.scattered} messages over kept connections, numbered recipients (`-N`); a transport map",
        "  sends each hundred in turn to a hundred live hosts (smtp-sink) or to a hundred of which thirty refuse connections,",
        "  forty accept and say nothing, and thirty take a second for each reply. Without the others: theirs go to `discard`.",
        "  Delays are those of the log; `smtp_helo_timeout = 20s`.",
        "- *postconf*: mean of 20 calls. *postmap*: one call each.",
        f"- *deferred*: `relayhost = [127.0.0.1]:{DEAD_PORT}`, where nothing listens; sizes, `postqueue -p` and `-j` with the queue",
        "  full; then stop, wait until all is due, listen on that port, start: the time until the first connection arrives",
        "  counts from the start command. Then `postsuper -d ALL`, as often as it takes until the queue is empty.", "",
        "main.cf of both (each with its own folders):", "", "```",
        MAIN_CF.format(folder="FOLDER").rstrip(), "```", "",
    ]
    return "\n".join(lines)
