// qmqp-source(1), qmqp-sink(1): there is no QMQP server here, so there is nothing to test it with.
#include "tools/commands.hpp"

#include <cstdio>
#include <string_view>

namespace ekiden::tools {

int qmqp_main(int, char** argv)
{
    const std::string_view path = argv[0];
    const std::string_view name = path.substr(path.rfind('/') + 1);
    std::fprintf(
        stderr,
        "%.*s: fatal: QMQP is not supported (it has no replies for single recipients); %s does the same over SMTP\n",
        int(name.size()), name.data(), name == "qmqp-sink" ? "smtp-sink" : "smtp-source");
    return 1;
}

}  // namespace ekiden::tools
