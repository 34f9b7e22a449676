// posttls-finger(1): what a mail server's TLS looks like to a client of ours, without sending it mail.
#include "tools/posttls_finger.hpp"

#include "tools/commands.hpp"

#include <csignal>

namespace ekiden::tools {

int posttls_finger_main(int argc, char** argv)
{
    ::signal(SIGPIPE, SIG_IGN);
    return finger::probe(finger::parse_options(argc, argv));
}

}  // namespace ekiden::tools
