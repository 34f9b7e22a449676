"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS for smtplib, written from RFC 5802 with hashlib: a client that has nothing in
common with the server it tests.

    with mail.smtp() as s:
        s.ehlo()
        code, text = scram.login(s, 'alice', 'secret')

The answer is the last reply. It raises ServerIsFalse when the server lets us in without knowing the verifier.
"""
import base64, hashlib, hmac, secrets


class ServerIsFalse(AssertionError):
    pass


def mac(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


def end_point(smtp):
    """tls-server-end-point (RFC 5929) of a connection after STARTTLS whose certificate is signed with SHA-256"""
    return hashlib.sha256(smtp.sock.getpeercert(binary_form=True)).digest()


def login(smtp, user, password, binding=None, gs2=None, mechanism=None, iterations=None):
    """binding: (name, bytes) for -PLUS; gs2: another header than the right one; iterations: a list that gets the server's count"""
    mechanism = mechanism or ('SCRAM-SHA-256-PLUS' if binding else 'SCRAM-SHA-256')
    gs2 = gs2 or (f'p={binding[0]},,' if binding else 'n,,')
    nonce = secrets.token_urlsafe(18)
    bare = f'n={user.replace("=", "=3D").replace(",", "=2C")},r={nonce}'
    code, text = smtp.docmd('AUTH', f'{mechanism} {base64.b64encode((gs2 + bare).encode()).decode()}')
    if code != 334:
        return code, text.decode()
    challenge = base64.b64decode(text).decode()
    fields = dict(field.split('=', 1) for field in challenge.split(','))
    if not fields['r'].startswith(nonce) or len(fields['r']) < len(nonce) + 16:
        raise ServerIsFalse(f'a nonce that is not ours, or no longer: {challenge}')
    if iterations is not None:
        iterations.append(int(fields['i']))
    salted = hashlib.pbkdf2_hmac('sha256', password.encode(), base64.b64decode(fields['s']), int(fields['i']))
    without_proof = f'c={base64.b64encode(gs2.encode() + (binding[1] if binding else b"")).decode()},r={fields["r"]}'
    message = f'{bare},{challenge},{without_proof}'.encode()
    client_key = mac(salted, b'Client Key')
    signature = mac(hashlib.sha256(client_key).digest(), message)
    proof = bytes(a ^ b for a, b in zip(client_key, signature))
    code, text = smtp.docmd(base64.b64encode(f'{without_proof},p={base64.b64encode(proof).decode()}'.encode()).decode())
    if code != 334:
        if code == 235:
            raise ServerIsFalse('a login without the proof that the server knows us')
        return code, text.decode()
    if base64.b64decode(text) != b'v=' + base64.b64encode(mac(mac(salted, b'Server Key'), message)):
        raise ServerIsFalse(f'a wrong server signature: {text}')
    code, text = smtp.docmd('')
    return code, text.decode()
