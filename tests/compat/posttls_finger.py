#!/usr/bin/env python3
"""posttls-finger tells of a server's TLS what Postfix's program of this name tells, in the same lines.

  tests/compat/posttls_finger.py --bin FOLDER [--reference ROOT]

Asks servers on loopback, with a certificate made for the occasion. With --reference (the root of an unpacked Debian package
of Postfix) the expectations are checked against the real program first. No rights needed without it; exit 0 if all is well,
77 if nothing could be run.
"""
import argparse
import contextlib
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from commands import use_libraries_of

LIMIT = 20  # seconds for one conversation

OPEN = ["Connected to 127.0.0.1[127.0.0.1]:PORT", "< 220 mx.example.test ESMTP", "> EHLO me.example.test", "< 250-mx.example.test", "< 250-PIPELINING"]
STARTTLS = [*OPEN, "< 250-STARTTLS", "< 250 8BITMIME", "> STARTTLS", "< 220 2.0.0 Ready to start TLS"]
QUIT = ["> QUIT", "< 221 2.0.0 Bye"]
AFTER = ["> EHLO me.example.test", "< 250-mx.example.test", "< 250-PIPELINING", "< 250 8BITMIME", *QUIT]
PEER = "127.0.0.1[127.0.0.1]:PORT: "
SUBJECT = PEER + "subject_CN=mx.example.test, issuer_CN=ca, fingerprint=PRINT, pkey_fingerprint=PRINT"
MATCHED = PEER + "matched peername: mx.example.test"
WITH = " TLS connection established to 127.0.0.1[127.0.0.1]:PORT: "
TLS13 = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature ECDSA (prime256v1) server-digest SHA256"
TLS12 = "TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)"
VERIFIED, UNTRUSTED = ["Verified" + WITH + TLS13], ["Untrusted" + WITH + TLS13]
UNKNOWN_ISSUER = "certificate verification failed for 127.0.0.1[127.0.0.1]:PORT: untrusted issuer /CN=ca"
OTHER_NAME = "server certificate verification failed for 127.0.0.1[127.0.0.1]:PORT: num=62:hostname mismatch"
CHAIN = ["", "---", "Certificate chain", " 0 subject: /CN=mx.example.test", "    issuer: /CN=ca", "   cert digest=PRINT", "   pkey digest=PRINT",
         "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"]

# server, options, match, lines, and where Ekiden differs: (why, its lines, its exit status)
CONVERSATIONS = [
    ("starttls", "", "", [*STARTTLS, UNKNOWN_ISSUER, SUBJECT, *UNTRUSTED, *AFTER], None),
    ("starttls", "-F ca.pem", "mx.example.test", [*STARTTLS, MATCHED, SUBJECT, *VERIFIED, *AFTER], None),
    ("starttls", "-F ca.pem -l secure", "other.test", [*STARTTLS, OTHER_NAME, SUBJECT, *UNTRUSTED, *AFTER], None),
    ("starttls", "-c -F ca.pem -l verify", "a.test mx.example.test", [MATCHED, SUBJECT, *VERIFIED], None),
    ("starttls", "-c -l may", "", [SUBJECT, *UNTRUSTED], None),
    ("starttls", "-c -l encrypt -L none -C", "", CHAIN, None),
    ("starttls", "-cC -F ca.pem -L summary", "mx.example.test", [*VERIFIED, *CHAIN], None),
    ("starttls", "-c -L routine,certmatch -F ca.pem", "mx.example.test", [MATCHED, SUBJECT, *VERIFIED], None),
    ("starttls", "-l none", "", [*OPEN, "< 250-STARTTLS", "< 250 8BITMIME", *QUIT], None),
    ("starttls", "-o myhostname=he.test -l none", "", [*(x.replace("me.example.test", "he.test") for x in OPEN), "< 250-STARTTLS", "< 250 8BITMIME", *QUIT], None),
    ("starttls", "-c -l fingerprint -d sha256", "@PRINT@", [PEER + "Matched fingerprint: PRINT", SUBJECT, *VERIFIED], None),
    ("starttls", "-c -p !TLSv1.3 -g high -F ca.pem", "mx.example.test", [MATCHED, SUBJECT, "Verified" + WITH + TLS12], None),
    ("starttls", "-c -s sni.example.test -F ca.pem", "mx.example.test", [MATCHED, SUBJECT, *VERIFIED], None),
    ("starttls", "-c -t 5 -T 5 -a ipv4 -f -M may -h native -m 3 -l may", "", [SUBJECT, *UNTRUSTED], None),
    ("starttls", "-c -k client.pem -F ca.pem", "mx.example.test", [MATCHED, SUBJECT, *VERIFIED], None),
    ("starttls", "-c -H client.pem -F ca.pem", "mx.example.test", [MATCHED, SUBJECT, *VERIFIED], None),
    ("plain", "", "", [*OPEN, "< 250 8BITMIME", *QUIT], None),
    ("plain", "-c", "", [], ("says why there is nothing to say", ["127.0.0.1[127.0.0.1]:PORT does not offer STARTTLS"], 0)),
    ("wrapped", "-w -c -F ca.pem", "mx.example.test", [MATCHED, SUBJECT, *VERIFIED], None),
    ("lmtp", "-S -c -l may", "", [SUBJECT, *UNTRUSTED], None),
    ("nobody", "-c", "", ["Failed to establish session to [127.0.0.1]:PORT via 127.0.0.1: connect to 127.0.0.1[127.0.0.1]:PORT: Connection refused"],
     ("is no success", None, 1)),
    ("nobody", "-l nosuch", "", ["fatal: Invalid TLS level \"nosuch\""], ("is no success", None, 1)),
    ("nobody", "-a nosuch", "", ["fatal: bad '-a' option value: nosuch"], ("is no success", None, 1)),
    ("nobody", "-M nosuch", "", ["fatal: bad '-M' option value: nosuch"], ("is no success", None, 1)),
    ("nobody", "-h nosuch", "", ["fatal: unknown -h option value \"nosuch\" in \"nosuch\""], ("is no success", None, 1)),
]
# What Postfix's program finds out when it is too late.
REFUSALS = [
    ("-g nosuch", 'invalid cipher grade: "nosuch"'),
    ("-p nosuch", 'Invalid TLS protocol list "nosuch"'),
    ("-d nosuch", 'Digest algorithm "nosuch" not found'),
    ("-L nosuch", 'unknown -L option value "nosuch" in "nosuch"'),
    ("-t x", "bad '-t' option value: x"),
    ("-T 0", "bad '-T' option value: 0"),
    ("-r x", "bad '-r' option value: x"),
    ("-m x", "bad '-m' option value: x"),
    ("-o x", "bad '-o' option value: x; want name=value"),
    ("-F /nonexistent", 'cannot load Certification Authority data, CAfile="/nonexistent" (No such file or directory)'),
    ("-k /nonexistent", "error opening chain file: /nonexistent: No such file or directory"),
    ("-H a -k b", "the '-H' option excludes '-k' and '-K'"),
]


class Server:
    """kind: starttls, plain, wrapped, lmtp; nobody: a port where none listens"""

    def __init__(self, kind, folder):
        self.kind = kind
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "server.pem")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.handshakes = []   # whether each was resumed
        if kind == "nobody":
            self.listener.close()
        else:
            threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def shake(self, end):
        end = self.context.wrap_socket(end, server_side=True)
        self.handshakes.append(bool(end.session_reused))
        return end

    def serve(self, end):
        with contextlib.suppress(OSError, IndexError):
            is_secure = self.kind == "wrapped"
            if is_secure:
                end = self.shake(end)
            end.sendall(b"220 mx.example.test ESMTP\r\n")
            lines = end.makefile("rb")
            while line := lines.readline():
                verb = line.split()[0].upper()
                if verb == (b"LHLO" if self.kind == "lmtp" else b"EHLO"):
                    offer = b"" if is_secure or self.kind == "plain" else b"250-STARTTLS\r\n"
                    end.sendall(b"250-mx.example.test\r\n250-PIPELINING\r\n" + offer + b"250 8BITMIME\r\n")
                elif verb == b"STARTTLS":
                    end.sendall(b"220 2.0.0 Ready to start TLS\r\n")
                    end, is_secure = self.shake(end), True
                    lines = end.makefile("rb")
                elif verb == b"QUIT":
                    end.sendall(b"221 2.0.0 Bye\r\n")
                    break
                else:
                    end.sendall(b"500 5.5.1 what?\r\n")
            end.close()


def make_certificates(folder):
    def openssl(*arguments):
        return subprocess.run(["openssl", *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *key, "-subj", "/CN=mx.example.test", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text("subjectAltName=DNS:mx.example.test\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.crt")
    (folder / "server.pem").write_text((folder / "server.key").read_text() + (folder / "server.crt").read_text())
    shutil.copy(folder / "server.pem", folder / "client.pem")
    return openssl("x509", "-in", "server.crt", "-noout", "-fingerprint", "-sha256").strip().split("=")[1]


class Program:
    def __init__(self, path, folder, fingerprint):
        self.path, self.folder, self.fingerprint = str(path), folder, fingerprint

    def run(self, server, options, match=""):
        scheme = "inet:" if server.kind == "lmtp" else ""
        words = [self.path, *options.split(), f"{scheme}[127.0.0.1]:{server.port}", *match.replace("@PRINT@", self.fingerprint).split()]
        done = subprocess.run(words, cwd=self.folder, env={"MAIL_CONFIG": str(self.folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT)
        text = done.stdout.replace("\r", "").replace(f":{server.port}", ":PORT")
        text = re.sub(r"(?:[0-9A-F]{2}:){19,}[0-9A-F]{2}|\b[0-9A-F]{64}\b", "PRINT", text)
        lines = [line.removeprefix("posttls-finger: ") for line in text.splitlines() if not re.fullmatch(r"[A-Za-z0-9+/=]{1,64}", line)]
        return lines, done.returncode


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build/bin")
    parser.add_argument("--reference", type=pathlib.Path)
    options = parser.parse_args()
    if not shutil.which("openssl"):
        print("openssl is not installed")
        sys.exit(77)
    if options.reference:
        use_libraries_of(options.reference.resolve())
    failed = 0

    def check(what, got, want):
        nonlocal failed
        if got != want:
            failed += 1
            print(f"FAILED: posttls-finger {what}\n" + "".join(f"  - {line}\n" for line in want[0]) + "".join(f"  + {line}\n" for line in got[0]) + f"  status {want[1]}, got {got[1]}")

    with tempfile.TemporaryDirectory(prefix="ekiden-finger-", dir="/var/tmp") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        fingerprint = make_certificates(folder)
        owner = "mail" if os.geteuid() == 0 else os.environ.get("USER", "nobody")
        (folder / "main.cf").write_text(f"compatibility_level = 3.6\nmyhostname = me.example.test\ninet_protocols = ipv4\nmail_owner = {owner}\nsetgid_group = daemon\n"
                                        f"queue_directory = {folder}\ndata_directory = {folder}\n" +
                                        (f"shlib_directory = {options.reference.resolve()}/usr/lib/postfix\n" if options.reference else ""))
        (folder / "master.cf").touch()
        root = options.reference.resolve() / "usr/sbin" if options.reference else pathlib.Path(options.bin).resolve()
        program = Program(root / "posttls-finger", folder, fingerprint)
        servers = {kind: Server(kind, folder) for kind in ("starttls", "plain", "wrapped", "lmtp", "nobody")}
        for kind, words, match, lines, other in CONVERSATIONS:
            is_fatal = any(line.startswith("fatal") for line in lines)
            want = lines, 1 if is_fatal else 0
            if other and not options.reference:
                want = lines if other[1] is None else other[1], other[2]
            check(f"{words} {kind} {match}", program.run(servers[kind], words, match), want)
        if not options.reference:
            for words, why in REFUSALS:
                check(words, program.run(servers["nobody"], words), (["fatal: " + why], 1))
        # A second connection takes the session up again.
        servers["starttls"].handshakes.clear()
        lines, status = program.run(servers["starttls"], "-c -r 1 -m 2 -F ca.pem", "mx.example.test")
        expected = ["Reconnecting after 1 seconds", PEER + "Reusing old session", "Found a previously used server.  Done reconnecting."]
        check("-r", ([line for line in lines if line in expected], status), (expected, 0))
        check("-r, seen by the server", (servers["starttls"].handshakes, 0), ([False, True], 0))
    print(f"{len(CONVERSATIONS) + len(REFUSALS)} conversations, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
