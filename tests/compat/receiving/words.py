"""The words that the cases are written in (see ../receiving.py).

A step is a text, sent as a line and answered; bytes, sent as they are and not answered; a number of replies to read; CLOSE, END
(until the server hangs up), TLS (the handshake), or UNTIL_HEARD (the server has something to say, however long that takes).
"""

CLOSE, END, TLS, UNTIL_HEARD = ('close',), ('end',), ('tls',), ('until-heard',)
EHLO, MAIL, RCPT, QUIT = 'EHLO client2.remote.test', 'MAIL FROM:<sender@remote.test>', 'RCPT TO:<user1@golden.test>', 'QUIT'
RELAY = 'RCPT TO:<x@other.test>'
TEXT = b'From: <sender@remote.test>\r\nTo: <user1@golden.test>\r\nSubject: test\r\n\r\nHello\r\n.\r\n'


def case(name, settings='', *sessions, cleanup=None, files=None, servers=(), six=False, processes='-', verbose=False, lost=0, limit=8):
    """settings, cleanup: lines of main.cf for the case's smtpd and its cleanup service; files: {name: text}, in {private}/files;
    servers: started with the folder; lost: so many sessions end without a word in the log"""
    return dict(name=name, settings=settings, sessions=[one if isinstance(one, dict) else session(*one) for one in sessions], cleanup=cleanup, files=files or {},
                servers=servers, six=six, processes=processes, verbose=verbose, lost=lost, limit=limit)


def session(*steps, source='127.0.0.2', to='127.0.0.1', title='', greeted=True):
    flat = []
    for step in steps:
        flat += step if isinstance(step, list) else [step]
    return dict(steps=flat, source=source, to=to, title=title, greeted=greeted)


def content(text=TEXT):
    """DATA and a text, which ends with a dot"""
    return ['DATA', text if isinstance(text, bytes) else text.replace('\n', '\r\n').encode() + b'.\r\n', 1]


def message(*recipients, sender='sender@remote.test', text=TEXT):
    return [EHLO, f'MAIL FROM:<{sender}>', *(f'RCPT TO:<{r}>' for r in recipients or ['user1@golden.test']), *content(text), QUIT]


def tried(*recipients, sender='sender@remote.test', helo='client2.remote.test', **where):
    """up to RCPT, of which the answers matter"""
    return session(f'EHLO {helo}', f'MAIL FROM:<{sender}>', *(f'RCPT TO:<{r}>' for r in recipients or ['user1@golden.test']), QUIT, **where)
