"""A policy server for one scenario, made of a list of answers: each request gets the next one, and the last one for ever.

    policy = PolicyServer(['action=DUNNO\\n\\n'])
    Instance(main=f'smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:{policy.port}\\n')

An answer of None closes the connection, SILENCE says nothing until the client gives up, bytes and texts are sent as they
are, a function is called with the request (a dictionary) and returns one of these. `requests` and `connections` tell what
happened.
"""
import contextlib, os, socket, threading

SILENCE = object()


class PolicyServer(threading.Thread):
    def __init__(self, answers, address=None):
        super().__init__(daemon=True)
        self.answers, self.requests, self.connections = list(answers), [], 0
        self.listener = listen(address)
        self.port = None if address else self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile('rb') as stream, contextlib.suppress(OSError):
            while True:
                request = {}
                while (line := stream.readline()) != b'\n':
                    if not line:
                        return
                    name, _, value = line.decode(errors='replace').rstrip('\n').partition('=')
                    request.setdefault(name, value)
                with self.lock:
                    self.requests.append(request)
                    answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if callable(answer):
                    answer = answer(request)
                if answer is None:
                    return
                if answer is SILENCE:
                    stream.read()
                    return
                connection.sendall(answer if isinstance(answer, bytes) else answer.encode())

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def listen(address):
    if not address:
        return socket.create_server(('127.0.0.1', 0))
    server = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(address)
    server.bind(address)
    os.chmod(address, 0o666)
    server.listen()
    return server
