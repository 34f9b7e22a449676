// `ekiden explain`: what would happen to a message, and why.
#pragma once

namespace ekiden::explain {

// Exit status: 0 accepted (and, as far as can be known without speaking to others, delivered), 1 refused or returned to
// the sender, 75 try later, 64 wrong usage, 78 faulty configuration.
int explain_main(int argc, char** argv);

}  // namespace ekiden::explain
