"""Many messages are asked about over few connections; a policy server that restarts costs no message and no warning."""
import os
from instance import Instance, expect
from policy_server import PolicyServer

policy = PolicyServer(['action=DUNNO\n\n'])
with Instance(main=f'smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:{policy.port}\n'
                   f'smtpd_data_restrictions = check_policy_service {{ inet:127.0.0.1:{policy.port}, policy_context=data }}\n') as mail:
    for _ in range(10):
        mail.send()
    cores = len(os.sched_getaffinity(0))
    expect(policy.connections <= cores, True, f'{policy.connections} connections for ten messages, {cores} cores')
    expect([r['protocol_state'] for r in policy.requests], ['RCPT', 'DATA'] * 10, 'questions')
    before = policy.connections
    first, second = policy.requests[:2]
    expect((first['instance'] != '', first['instance']), (True, second['instance']), 'the instance of one message')
    expect(len({r['instance'] for r in policy.requests}), 10, 'instances')
    expect((second['policy_context'], second['recipient'], second['recipient_count']), ('data', 'alice@example.test', '1'), 'the question at DATA')
    expect((first['mail_version'][:2], first['compatibility_level']), ('3.', '3.6'), 'versions')

    policy.answers[:] = [None, 'action=DUNNO\n\n']     # hangs up in the middle of a question
    mail.send()
    expect(policy.connections - before in (1, 2), True, f'{policy.connections} connections after {before}')
    expect('problem talking' in mail.log(), False, 'a complaint')
