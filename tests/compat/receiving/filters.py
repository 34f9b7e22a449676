"""smtpd_command_filter."""
from words import *

CASES = [
    case('filtered', 'smtpd_command_filter = regexp:{{/^NOOP(.*)/ RSET$$1} {/^FOO$$/ NOOP} {/^(MAIL FROM:<.*>) AUTH=<>/ $$1} {/^DEBUG/ 554 go}}', session('NOOP', 'FOO', 'foo', 'BAR', 'DEBUG', 'MAIL FROM:<a@b.test> AUTH=<>', 'MAIL FROM:<a@b.test>', QUIT)),
    case('filter-fails', 'smtpd_command_filter = fail:x', session('NOOP', QUIT)),
]
