"""smtp_tls_security_level = may: TLS with everybody who offers it, whatever the certificate; plain text with the others."""
from certificates import Certificates
from instance import FarServer, Instance, expect
from secure_server import SecureServer

with Instance(start=False) as mail:
    made = Certificates(mail.folder)
    made.make('far', cn='far.test', kind='rsa')
    secure = SecureServer(certificate=(made.path('far.pem'), made.path('far.key')))
    unable = SecureServer(certificate=(made.path('far.pem'), made.path('far.key')), starttls_answer='454 4.7.0 not now')
    plain = FarServer()
    mail.set(f'smtp_tls_security_level = may\nsmtp_tls_loglevel = 1\ntransport_maps = inline:{{ secure.test=smtp:[127.0.0.1]:{secure.port} '
             f'unable.test=smtp:[127.0.0.1]:{unable.port} plain.test=smtp:[127.0.0.1]:{plain.port} }}\n')
    mail.start()
    mail.send(to=['b@secure.test'])
    mail.wait_for_log(rf'Untrusted TLS connection established to 127\.0\.0\.1\[127\.0\.0\.1\]:{secure.port}: TLSv1\.3 with cipher '
                      r'TLS_AES_256_GCM_SHA384 \(256/256 bits\) key-exchange X25519 server-signature RSA-PSS \(2048 bits\) server-digest SHA256\n')
    expect(secure.wait_for()[0][-1], True, 'inside TLS')
    expect([line for line, encrypted in secure.seen if not encrypted], ['EHLO mail.example.test', 'STARTTLS'], 'what was said in the open')
    mail.send(to=['b@unable.test', 'b@plain.test'])
    expect(unable.wait_for()[0][-1], False, 'inside TLS')
    plain.wait_for()
    mail.wait_for_empty_queue()
