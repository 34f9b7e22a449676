"""Figures of the commands: postconf, and postmap with a large table. No server runs; the CPU is the command's own."""

import os
import subprocess
import time

from bench_servers import BenchError

CALLS = 20        # of a command that takes milliseconds


def seconds(server, name, *arguments, **more):
    """Wall seconds of one call, which must succeed and whose output nobody reads."""
    command = [str(server.bin / name), "-c", str(server.work / "etc"), *arguments]
    begin = time.monotonic()
    done = subprocess.run(command, env=server.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)
    taken = time.monotonic() - begin
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.decode()[-400:]}")
    return taken


def postconf(server, load, options):
    server.fresh()
    taken = {}
    for measure, arguments in (("all_ms", ()), ("changed_ms", ("-n",))):
        seconds(server, "postconf", *arguments)
        taken[measure] = sum(seconds(server, "postconf", *arguments) for _ in range(CALLS)) / CALLS * 1000
    return taken


def postmap(server, load, options):
    """A table of a million keys is made; then a tenth of the keys is asked for."""
    server.fresh()
    source, questions = server.work / "table", server.work / "questions"
    with open(source, "w") as table, open(questions, "w") as asked:
        for i in range(options.keys):
            key = f"user{i}@example{i % 1000}.test"
            table.write(f"{key} relay{i % 100}.example.test\n")
            if i % 10 == 0:
                asked.write(f"{key}\n")
    taken = {}
    for kind in ("hash", "lmdb"):
        name = f"{kind}:{source}"
        taken[f"{kind}_make_s"] = seconds(server, "postmap", name)
        os.sync()  # what was written is not charged to the questions
        with open(questions) as asked:
            taken[f"{kind}_ask_s"] = seconds(server, "postmap", "-q", "-", name, stdin=asked)
    return taken


FIGURES = {"postconf": postconf, "postmap": postmap}
ONCE = ()
