"""Without descriptors for more connections the log says so, those that are there are served, and the others come in later."""
import resource, subprocess, sys
from instance import Instance, expect

# Another process, because the limit below is inherited by the server and holds for this one too.
CROWD = '''
import socket, sys
sys.stdin.readline()
clients = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(300)]
print("here", flush=True)
sys.stdin.readline()
greeted = 0
while clients:
    client = clients.pop(0)
    client.settimeout(20)
    greeted += client.recv(100).startswith(b"220 ")
    client.close()
print(greeted, flush=True)
'''
with Instance(main='smtpd_client_connection_count_limit = 0\n', start=False) as mail:
    crowd = subprocess.Popen([sys.executable, '-c', CROWD, str(mail.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
    mail.start()
    with mail.dialogue() as early:
        crowd.stdin.write('\n')
        crowd.stdin.flush()
        expect(crowd.stdout.readline(), 'here\n', 'the crowd')
        mail.wait_for_log(r'smtpd\[\d+\]: warning: accept connection: Too many open files')
        expect(early.say('NOOP'), '250 2.0.0 Ok', 'a session that is there')
    greeted = crowd.communicate('\n')[0]
    expect(greeted, '300\n', 'greetings in the end')
    mail.send()
    mail.wait_for_mail('alice')
