// The commands that ordinary users run with the rights of the group postdrop, as a program of their own: packages install
// this one set-gid, and never the whole of Ekiden. argv[0] picks the command; any other name is refused.
#include "tools/commands.hpp"
#include "tools/support.hpp"

#include <cstdio>
#include <string_view>

int main(int argc, char** argv)
{
    if (argc < 1 || !ekiden::tools::hold_standard_descriptors()) return 1;
    std::string_view name = argv[0];
    name = name.substr(name.rfind('/') + 1);
    if (name == "postdrop") return ekiden::tools::postdrop_main(argc, argv);
    if (name == "postqueue") return ekiden::tools::postqueue_main(argc, argv);
    if (name == "postlog") return ekiden::tools::postlog_main(argc, argv);
    std::fputs("this program is postdrop, postqueue or postlog, by the name it is called with\n", stderr);
    return 2;
}
