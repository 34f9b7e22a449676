#!/usr/bin/env python3
"""smtp-source and smtp-sink say, send and count what Postfix's programs of these names do.

  tests/compat/load_tools.py --bin FOLDER [--reference FOLDER]

Runs the programs of FOLDER against scripted peers on loopback and compares with what Postfix 3.7.11 was seen to do.
With --reference (the root of an unpacked Debian package) the same expectations are first checked against the real
programs, so that a wrong expectation does not pass for a right program. No rights needed; exit 0 if all is well.
"""

import argparse
import contextlib
import os
import pathlib
import re
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time

LIMIT = 10  # seconds, for everything that should not take any

EHLO = ("250-smtp-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250-XCLIENT NAME HELO\r\n"
        "250-XFORWARD NAME ADDR PROTO HELO\r\n250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250 \r\n")
OK_DATA = "354 End data with <CR><LF>.<CR><LF>\r\n"
MAIL, RCPT = "250 2.1.0 Ok\r\n", "250 2.1.5 Ok\r\n"
SOFT, HARD = "450 4.3.0 Error: command failed\r\n", "500 5.3.0 Error: command failed\r\n"

# program, arguments, exit status, end of standard error
COMMAND_LINES = [
    ("smtp-source", [], 1, "-R delay -w delay host[:port]"),
    ("smtp-source", ["-s", "0", "h"], 1, "fatal: bad session count: 0"),
    ("smtp-source", ["-l", "abc", "h"], 1, "fatal: bad message length: abc"),
    ("smtp-source", ["-m", "0", "h"], 1, "fatal: bad message count: 0"),
    ("smtp-source", ["-r", "x", "h"], 1, "fatal: bad recipient count: x"),
    ("smtp-source", ["-C", "0", "h"], 1, "fatal: bad connection count: 0"),
    ("smtp-source", ["-R", "-1", "h"], 1, "fatal: bad random delay: -1"),
    ("smtp-source", ["-w", "x", "h"], 1, "fatal: bad fixed delay: x"),
    ("smtp-source", ["-T", "0", "h"], 1, "fatal: bad TCP window size: 0"),
    ("smtp-source", ["-w", "1", "-R", "1", "h"], 1, "fatal: do not use -w and -R options at the same time"),
    ("smtp-source", ["-F", "/nonexistent", "h"], 1, "fatal: open /nonexistent: No such file or directory"),
    ("smtp-source", ["-l", "1", "-F", "/etc/passwd", "h"], 1, "fatal: -l option cannot be used with -F"),
    ("smtp-source", ["127.0.0.1:nosuch"], 1, "fatal: 127.0.0.1:nosuch: Servname not supported for ai_socktype"),
    ("smtp-source", ["unix:/nonexistent"], 1, "fatal: connect: No such file or directory"),
    ("smtp-source", ["127.0.0.1:1"], 1, "fatal: connect: Connection refused"),
    ("smtp-source", ["-C", "2", "127.0.0.1:1"], 1,
     "warning: connect: Connection refused\nsmtp-source: fatal: connect: Connection refused"),
    ("smtp-sink", ["127.0.0.1:1"], 1, "[-w delay] [host]:port backlog"),
    ("smtp-sink", ["127.0.0.1:1", "abc"], 1, "[-w delay] [host]:port backlog"),
    ("smtp-sink", ["-m", "0", ":1", "1"], 1, "fatal: bad concurrency limit: 0"),
    ("smtp-sink", ["-M", "0", ":1", "1"], 1, "fatal: bad message quit count: 0"),
    ("smtp-sink", ["-n", "0", ":1", "1"], 1, "fatal: bad quit count: 0"),
    ("smtp-sink", ["-t", "x", ":1", "1"], 1, "fatal: bad timeout: x"),
    ("smtp-sink", ["-H", "x", ":1", "1"], 1, "fatal: bad data read delay: x"),
    ("smtp-sink", ["-f", "FOO", ":1", "1"], 1, "fatal: unknown command: FOO"),
    ("smtp-sink", ["-W", "DATA", ":1", "1"], 1, "fatal: invalid command delay argument: DATA"),
    ("smtp-sink", ["-W", "DATA:x", ":1", "1"], 1, "fatal: non-positive 'DATA' delay"),
    ("smtp-sink", ["-W", "DATA:1:100", ":1", "1"], 1, "fatal: delay odds for 'DATA' out of range"),
    ("smtp-sink", ["-u", "nosuchuser", "127.0.0.1:1", "1"], 1, "fatal: unknown user: nosuchuser"),
]

# options, [(bytes sent, reply)]; None: the connection ends
SINK_DIALOGUES = [
    ([], [("EHLO a\r\n", EHLO), ("RCPT TO:<a>\r\n", "503 5.5.1 Error: need MAIL command\r\n"), ("MAIL FROM:<a>\r\n", MAIL),
          ("MAIL FROM:<a>\r\n", "503 5.5.1 Error: nested MAIL command\r\n"),
          ("DATA\r\n", "503 5.5.1 Error: need RCPT command\r\n"), ("RCPT TO:<b>\r\n", RCPT), ("DATA\r\n", OK_DATA),
          ("x\r\n..\r\n.x\n.\n\r\n.\r\n", "250 2.0.0 Ok\r\n"), ("RSET\r\n", MAIL), ("noop\r\n", "250 2.0.0 Ok\r\n"),
          ("FOO\r\n", "500 5.5.1 Error: unknown command\r\n"), ("\r\n", "500 5.5.2 Error: unknown command\r\n"),
          ("LHLO a\r\n", "500 5.5.1 Error: unknown command\r\n"), ("QUIT\r\n", "221 Bye\r\n"), ("", None)]),
    ([], [("MAIL a\r\nRCPT b\r\nDATA\r\n.\r\nQUIT\r\n", MAIL + RCPT + OK_DATA + "250 2.0.0 Ok\r\n221 Bye\r\n"), ("", None)]),
    (["-L"], [("HELO a\r\n", "500 5.5.1 Error: unknown command\r\n"), ("LHLO a\r\n", EHLO), ("MAIL a\r\n", MAIL),
              ("RCPT a\r\n", RCPT), ("RCPT b\r\n", RCPT), ("DATA\r\n", OK_DATA),
              ("x\r\n.\r\n", "250 2.2.0 Ok\r\n250 2.2.0 Ok\r\n")]),
    (["-8aCEFNp"], [("EHLO a\r\n", "250-smtp-sink\r\n250 \r\n"), ("XCLIENT a=b\r\n", "500 5.5.1 Error: unknown command\r\n")]),
    (["-e", "-h", "foo"], [("EHLO a\r\n", "500 5.5.1 Error: unknown command\r\n"), ("HELO a\r\n", "250 foo\r\n")]),
    (["-r", "rcpt", "-f", "data,mail", "-b", "451 no"], [("MAIL a\r\n", HARD)]),
    (["-r", "RCPT"], [("MAIL a\r\n", MAIL), ("RCPT a\r\n", SOFT), ("DATA\r\n", "503 5.5.1 Error: need RCPT command\r\n")]),
    (["-f", "."], [("MAIL a\r\nRCPT b\r\nDATA\r\n.\r\n", MAIL + RCPT + OK_DATA + HARD), ("NOOP\r\n", "250 2.0.0 Ok\r\n")]),
    (["-q", "mail"], [("HELO a\r\n", "250 smtp-sink\r\n"), ("MAIL a\r\n", None)]),
    (["-Q", "mail"], [("MAIL a\r\n", "421 4.0.0 Server closing connection\r\n"), ("", None)]),
    (["-A", "0"], [("MAIL a\r\n", MAIL), ("RCPT a\r\n", RCPT), ("DATA\r\n", OK_DATA + "550 This violates SMTP\r\n"), ("", None)]),
]

HEAD = r"From: <%s>\r\nTo: <%s>\r\nDate: [^\r]+ \([^)]+\)\r\nMessage-Id: <[0-9a-f.]+@%s>\r\n%s\r\n"
LALA = "".join(rf"La de da de da {i}\.\r\n" for i in range(1, 5))


def sent(head, body, number=""):
    return ["MAIL FROM:<a@x>\r\n", f"RCPT TO:<{number}b@x>\r\n", "DATA\r\n", re.compile(head + body + r"\.\r\n")]


AB = ["-M", "x", "-f", "a@x", "-t", "b@x"]
PLAIN = HEAD % ("a@x", "b@x", "x", "")
# options, what the server answers otherwise than usual, exit status, stdout, stderr, what it receives
SOURCE_DIALOGUES = [
    (AB, {}, 0, "", "", ["HELO x\r\n", *sent(PLAIN, LALA), "QUIT\r\n"]),
    ([*AB, "-m", "2", "-d", "-c"], {}, 0, "1\r2\r\n", "", ["HELO x\r\n", *sent(PLAIN, LALA), *sent(PLAIN, LALA), "QUIT\r\n"]),
    ([*AB, "-l", "81"], {}, 0, "", "", ["HELO x\r\n", *sent(PLAIN, "1X{77}\r\nX\r\n"), "QUIT\r\n"]),
    ([*AB, "-o"], {}, 0, "", "", [*sent("", LALA), "QUIT\r\n"]),
    ([*AB, "-S", "hi"], {}, 0, "", "", ["HELO x\r\n", *sent(HEAD % ("a@x", "b@x", "x", r"Subject: hi\r\n"), LALA), "QUIT\r\n"]),
    ([*AB, "-N", "-L"], {}, 0, "", "", ["LHLO x\r\n", *sent(PLAIN, LALA, "1"), "QUIT\r\n"]),
    ([*AB, "-r", "2", "-A"], {"RCPT": "550 no\r\n"}, 0, "",
     "warning: recipient rejected: 550 no\n" * 2,
     ["HELO x\r\n", "MAIL FROM:<a@x>\r\n", "RCPT TO:<2b@x>\r\n", "RCPT TO:<b@x>\r\n", "RSET\r\n", "QUIT\r\n"]),
    ([*AB, "-c"], {".": "550 no\r\n"}, 1, "1\r", "fatal: end of data rejected: 550 no\n", ["HELO x\r\n", *sent(PLAIN, LALA)]),
    (AB, {"HELO": "421-x\r\n421 y z\r\n"}, 1, "", "fatal: HELO rejected: 421 x?y z\n", ["HELO x\r\n"]),
    (AB, {"MAIL": "nonsense\r\n"}, 1, "", "fatal: sender rejected: 0 nonsense\n", ["HELO x\r\n", "MAIL FROM:<a@x>\r\n"]),
    (AB, {"DATA": None}, 1, "", "fatal: lost connection while sending DATA command\n",
     ["HELO x\r\n", "MAIL FROM:<a@x>\r\n", "RCPT TO:<b@x>\r\n", "DATA\r\n"]),
    (AB, {"": None}, 1, "", "fatal: lost connection while reading server greeting\n", []),
    (AB, {"": "554 no\r\n"}, 1, "", "fatal: rejected at server banner: 554 no\n", []),
]


class Programs:
    def __init__(self, folder, libraries=None):
        self.folder = pathlib.Path(folder).resolve()
        self.environment = dict(os.environ, LC_ALL="C", TZ="UTC")
        if libraries:
            self.environment["LD_LIBRARY_PATH"] = str(libraries)

    def command(self, program, *arguments):
        user = ["-u", "nobody"] if program == "smtp-sink" and os.geteuid() == 0 and "-u" not in arguments else []
        return [str(self.folder / program), *user, *arguments]

    def run(self, program, *arguments):
        done = subprocess.run(self.command(program, *arguments), env=self.environment, capture_output=True, timeout=LIMIT)
        return done.returncode, done.stdout.decode(), self.without_folder(done.stderr.decode())

    def without_folder(self, text):
        return text.replace(f"{self.folder}/", "")

    @contextlib.contextmanager
    def sink(self, *options, endpoint=None):
        endpoint = endpoint or f"127.0.0.1:{free_port()}"
        process = subprocess.Popen(self.command("smtp-sink", *options, endpoint, "100"), env=self.environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.endpoint = endpoint
        try:
            wait_until(lambda: is_listening(endpoint) or process.poll() is not None)
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.output, process.errors = process.communicate(timeout=LIMIT)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def is_listening(endpoint):
    """Looks without connecting: a connection would be counted as a session."""
    if endpoint.startswith("unix:"):
        return os.path.exists(endpoint[5:])
    wanted = f":{int(endpoint.rsplit(':', 1)[1]):04X}"
    return any(line.split()[1].endswith(wanted) and line.split()[3] == "0A" for line in open("/proc/net/tcp").readlines()[1:])


def wait_until(condition):
    until = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > until:
            raise AssertionError("waited in vain")
        time.sleep(0.01)


def connect(endpoint):
    if endpoint.startswith("unix:"):
        client = socket.socket(socket.AF_UNIX)
        client.connect(endpoint[5:])
    else:
        client = socket.create_connection(("127.0.0.1", int(endpoint.rsplit(":", 1)[1])))
    client.settimeout(LIMIT)
    return client


def expect(client, reply, about):
    got = b""
    while reply is None or len(got) < len(reply):
        try:
            data = client.recv(65536)
        except ConnectionResetError:
            data = b""
        got += data
        if not data or (reply is None and data):
            break
    assert got.decode() == (reply or ""), f"{about}: got {got!r}, want {reply!r}"


def check_command_line(programs, program, arguments, status, ending):
    got_status, _, errors = programs.run(program, *arguments)
    assert got_status == status, f"exit {got_status}, want {status}"
    assert errors.startswith(f"{program}: ") and errors.rstrip("\n").endswith(ending), f"got {errors!r}, want …{ending!r}"


def check_sink(programs, options, dialogue):
    with programs.sink(*options) as sink, connect(sink.endpoint) as client:
        name = options[options.index("-h") + 1] if "-h" in options else "smtp-sink"
        expect(client, f"220 {name}{'' if '-e' in options else ' ESMTP'}\r\n", "greeting")
        for line, reply in dialogue:
            client.sendall(line.encode())
            expect(client, reply, line)


def serve(listener, answers, received):
    connection, _ = listener.accept()
    connection.settimeout(LIMIT)
    usual = {"": "220 hi\r\n", "DATA": "354 go\r\n", "QUIT": "221 bye\r\n"}
    with connection, connection.makefile("rb") as lines:
        def answer(verb):
            reply = answers.get(verb, usual.get(verb, "250 ok\r\n"))
            if reply is not None:
                connection.sendall(reply.encode())
            return reply
        reply, content = answer(""), None
        while reply is not None:
            try:
                line = lines.readline().decode()
            except ConnectionResetError:
                return
            if not line:
                return
            if content is not None:
                content += line
                if line != ".\r\n":
                    continue
                received.append(content)
                content, reply = None, answer(".")
                continue
            received.append(line)
            verb = line.split()[0]
            reply = answer(verb)
            if verb == "DATA" and reply and reply.startswith("354"):
                content = ""


def check_source(programs, options, answers, status, output, errors, commands):
    received = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener, answers, received))
        server.start()
        got = programs.run("smtp-source", *options, f"127.0.0.1:{listener.getsockname()[1]}")
        server.join(LIMIT)
    want = (status, output, "".join(f"smtp-source: {line}\n" for line in errors.splitlines()))
    assert got == want, f"got {got}, want {want}"
    assert len(received) == len(commands), f"server received {received}"
    for line, wanted in zip(received, commands):
        matches = wanted.fullmatch(line) if isinstance(wanted, re.Pattern) else line == wanted
        assert matches, f"server received {line!r}, not {wanted!r}"


def read_until(stream, words):
    """what a program that goes on running has printed when it comes to `words`, or when its time is up"""
    seen, until = b"", time.monotonic() + LIMIT
    while words not in seen and select.select([stream], [], [], max(0, until - time.monotonic()))[0]:
        more = os.read(stream.fileno(), 65536)
        if not more:
            break
        seen += more
    return seen


def check_counters(programs, *options):
    sessions = 20 if "-d" in options else 100
    with programs.sink("-c", "-m", "100") as sink:
        status, output, errors = programs.run("smtp-source", "-s", "20", "-l", "5120", "-m", "100", "-c", *options, sink.endpoint)
        # The last session ends on the other side after its client has gone.
        counted = read_until(sink.stdout, b"sess=%d quit=%d mesg=100\r" % (sessions, sessions))
    assert (status, errors) == (0, ""), f"exit {status}: {errors}"
    assert output == "".join(f"{i}\r" for i in range(1, 101)) + "\n", f"source counted {output!r}"
    counts = [tuple(map(int, found)) for found in re.findall(rb"sess=(\d+) quit=(\d+) mesg=(\d+)\r", counted + sink.output)]
    assert len(counts) == 100 + sessions and counts[-1] == (sessions, sessions, 100), f"sink counted {(counted + sink.output)[-200:]!r}"
    assert counts == sorted(counts), "a counter went backwards"


def check_quits(programs):
    for option in ("-n", "-M"):
        with programs.sink(option, "3") as sink:
            programs.run("smtp-source", "-A", "-m", "3", sink.endpoint)
            wait_until(lambda: sink.poll() is not None)
        assert sink.returncode == 0, f"{option}: exit {sink.returncode}"


def check_capture(programs):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        body = "".join(f"{'.' * (i % 4)}line {i}\n" for i in range(60_000))
        message = pathlib.Path(folder, "message")
        message.write_text("Subject: x\n\n" + body)
        with programs.sink("-d", f"{folder}/sub/m.", "-S", r"From x\n\101") as sink:
            status, _, errors = programs.run("smtp-source", "-m", "2", "-r", "2", *AB, "-F", str(message), sink.endpoint)
            assert status == 0, errors
        captures = sorted(pathlib.Path(folder, "sub").iterdir())
        assert len(captures) == 2 and all(re.fullmatch(r"m\.[0-9a-f]{8}", c.name) for c in captures), f"{captures}"
        for capture in captures:
            text = capture.read_text()
            head = ("From x\nAX-Client-Addr: 127.0.0.1\nX-Client-Proto: SMTP\nX-Helo-Args: x\nX-Mail-Args: <a@x>\n"
                    "X-Rcpt-Args: <2b@x>\nX-Rcpt-Args: <b@x>\nReceived: from x ([127.0.0.1])\n"
                    f"\tby smtp-sink (smtp-sink) with SMTP id {capture.name[2:]};\n\t")
            assert text.startswith(head), f"capture starts {text[:400]!r}"
            assert text.endswith(f"\nSubject: x\n\n{body}\n\n"), "captured message differs from the one sent"


def check_unix_socket(programs):
    with tempfile.TemporaryDirectory() as folder, programs.sink(endpoint=f"unix:{folder}/s") as sink:
        status, _, errors = programs.run("smtp-source", "-s", "3", "-m", "20", "-c", sink.endpoint)
        assert status == 0, errors


def check_timeout(programs):
    with programs.sink("-t", "1") as sink, connect(sink.endpoint) as client:
        expect(client, "220 smtp-sink ESMTP\r\n", "greeting")
        expect(client, None, "timeout")
    assert programs.without_folder(sink.errors.decode()) == "smtp-sink: warning: read timeout\n", f"{sink.errors}"


def cases():
    for program, arguments, *want in COMMAND_LINES:
        yield " ".join([program, *arguments]), lambda p, c=(program, arguments, *want): check_command_line(p, *c)
    for options, dialogue in SINK_DIALOGUES:
        yield f"smtp-sink {' '.join(options)} talks", lambda p, c=(options, dialogue): check_sink(p, *c)
    for case in SOURCE_DIALOGUES:
        yield f"smtp-source {' '.join(case[0])} meets {case[1]}", lambda p, c=case: check_source(p, *c)
    yield "counters", check_counters
    yield "counters with -d", lambda p: check_counters(p, "-d")
    yield "capture", check_capture
    yield "unix-domain socket", check_unix_socket
    yield "time limit", check_timeout


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder with smtp-source and smtp-sink")
    parser.add_argument("--reference", type=pathlib.Path, help="root of Debian's unpacked postfix package")
    options = parser.parse_args()
    subjects = [("", Programs(options.bin))]
    if options.reference:
        subjects.insert(0, ("reference: ", Programs(options.reference / "usr/sbin", (options.reference / "usr/lib/postfix").resolve())))
    failures = count = 0
    for prefix, programs in subjects:
        # Postfix's sink ends without sending its last reply, and not at once; ours answers what it has counted.
        ours_only = [] if prefix else [("-n and -M end the sink", check_quits)]
        for name, check in [*cases(), *ours_only]:
            count += 1
            try:
                check(programs)
            except (AssertionError, OSError, subprocess.TimeoutExpired) as trouble:
                failures += 1
                print(f"FAIL {prefix}{name}: {trouble}")
    print(f"{count - failures} of {count} passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
