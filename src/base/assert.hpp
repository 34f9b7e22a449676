// EKIDEN_ASSERT: for what cannot happen. Prints, aborts; the process is restarted and mail is in the log. Never for
// anything a peer, a disk or a configuration can cause.
#pragma once

namespace ekiden::base {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}

#define EKIDEN_ASSERT(expression)                                                                  \
    ((expression) ? (void)0 : ::ekiden::base::assertion_failed(#expression, __FILE__, __LINE__))
