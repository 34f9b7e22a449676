"""smtpd_hide_client_session keeps name, address, login and protocol of the client out of the Received line; the log has them."""
import re
from instance import Instance, expect, expect_match

with Instance(main='smtpd_hide_client_session = yes\n') as mail:
    mail.send()
    message, = mail.wait_for_mail('alice')
    received = re.search(r'^Received: (.*\n(?:[ \t].*\n)*)', message, re.M).group(1)
    expect_match(r'\Aby mail\.example\.test \(Postfix\)\n\tid \w+; .*\n\Z', received, 'the Received line')
    expect('127.0.0.1' in message, False, 'the address in the message')
    mail.wait_for_log(r'client=localhost\[127\.0\.0\.1\]')
