// One binary, many names: argv[0] picks the command, so that every Postfix command can be a link to it. Called as
// `ekiden`, the first word picks: a role of the running system, or a command by its name.
#include "config/parameters.hpp"
#include "daemon/engine.hpp"
#include "daemon/master.hpp"
#include "daemon/postfix_command.hpp"
#include "daemon/sasl_process.hpp"
#include "daemon/spawn_process.hpp"
#include "deliver/helper/client.hpp"
#include "explain/explain.hpp"
#include "tools/commands.hpp"
#include "tools/support.hpp"

#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/auxv.h>
#include <unistd.h>

namespace {

using Entry = int (*)(int, char**);

// `-c DIR` of a role: the master passes an absolute path.
const char* directory_of(int argc, char** argv)
{
    for (int i = 1; i + 1 < argc; ++i) {
        if (std::strcmp(argv[i], "-c") == 0) return argv[i + 1];
    }
    return "/etc/postfix";
}

// In the background nothing of the starter is kept: `postfix start | cat` must end, and a closed terminal must not matter.
int master_role(int argc, char** argv)
{
    ::setsid();
    if (::chdir("/") < 0) return 1;
    int nowhere = ::open("/dev/null", O_RDWR);
    for (int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (nowhere < 0 || ::dup2(nowhere, standard) < 0) return 1;
    }
    if (nowhere > STDERR_FILENO) ::close(nowhere);
    return ekiden::daemon::run_master({directory_of(argc, argv), false, 3});
}
int engine_role(int argc, char** argv) { return ekiden::daemon::run_engine(directory_of(argc, argv)); }
int helper_role(int, char**) { return ekiden::deliver::run_helper(3); }

struct Name {
    std::string_view name;
    Entry entry;
};

constexpr Name commands[] = {
    {"postfix", ekiden::daemon::postfix_main},
    {"postconf", ekiden::tools::postconf_main},
    {"postqueue", ekiden::tools::postqueue_main},
    {"postsuper", ekiden::tools::postsuper_main},
    {"postcat", ekiden::tools::postcat_main},
    {"postmap", ekiden::tools::postmap_main},
    {"postalias", ekiden::tools::postmap_main},
    {"sendmail", ekiden::tools::sendmail_main},
    {"mailq", ekiden::tools::sendmail_main},
    {"newaliases", ekiden::tools::sendmail_main},
    {"postdrop", ekiden::tools::postdrop_main},
    {"postlog", ekiden::tools::postlog_main},
    {"postkick", ekiden::tools::postkick_main},
    {"postlock", ekiden::tools::postlock_main},
    {"postmulti", ekiden::tools::postmulti_main},
    {"posttls-finger", ekiden::tools::posttls_finger_main},
    {"qshape", ekiden::tools::qshape_main},
    {"qmqp-source", ekiden::tools::qmqp_main},
    {"qmqp-sink", ekiden::tools::qmqp_main},
    {"smtp-source", ekiden::tools::smtp_source_main},
    {"smtp-sink", ekiden::tools::smtp_sink_main},
};

// Reached as `ekiden NAME` only: others have a program of this name.
struct OwnCommand {
    std::string_view name;
    Entry entry;
    const char* summary;
};
constexpr OwnCommand own_commands[] = {
    {"explain", ekiden::explain::explain_main, "what would happen to a message, and why"},
    {"queue", ekiden::tools::queue_main, "list, hold, release, delete, requeue and flush messages by filters"},
    {"passwd", ekiden::tools::passwd_main, "make, change, delete and list logins"},
};

constexpr Name roles[] = {
    {"master", master_role},
    {"engine", engine_role},
    {"helper", helper_role},
    {"sasl", ekiden::daemon::run_sasl},
    {"spawn", ekiden::daemon::run_spawn},
};

Entry find(std::string_view name)
{
    for (const Name& known : commands) {
        if (known.name == name) return known.entry;
    }
    return nullptr;
}

void print_help(std::FILE* to)
{
    std::fprintf(to, "usage: ekiden COMMAND [argument...]\n\n");
    for (const OwnCommand& own : own_commands)
        std::fprintf(to, "  %-8s %s\n", std::string(own.name).c_str(), own.summary);
    std::fprintf(to, "  %s  %s\n", "--version", "this version, and that of the Postfix whose behaviour it has");
    std::fprintf(to, "\nPostfix's commands, each also a program of its own (a link to this binary):\n ");
    for (const Name& known : commands) std::fprintf(to, " %s", std::string(known.name).c_str());
    std::fprintf(to, "\n");
}

// Without any configuration: the parameter's default names the Postfix whose behaviour this is.
int print_version()
{
    const auto* postfix = ekiden::config::find_parameter("mail_version");
    std::printf("ekiden %s, with the behaviour of Postfix %s (mail_version)\n", EKIDEN_VERSION,
                postfix ? std::string(postfix->default_value).c_str() : "?");
    return 0;
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc < 1 || !ekiden::tools::hold_standard_descriptors()) return 1;
    // A set-gid bit that somebody put on a link to this binary would give its rights to every command.
    if (::getauxval(AT_SECURE) != 0) {
        std::fputs(
            "ekiden: this program must not be installed set-uid or set-gid; packages have ekiden-set-gid for that\n",
            stderr);
        return 1;
    }
    std::string_view name = argv[0];
    name = name.substr(name.rfind('/') + 1);
    if (Entry entry = find(name)) return entry(argc, argv);

    if (argc > 1) {
        for (const Name& role : roles) {
            if (role.name == argv[1]) return role.entry(argc - 1, argv + 1);
        }
        for (const OwnCommand& own : own_commands) {
            if (own.name == argv[1]) return own.entry(argc - 1, argv + 1);
        }
        if (Entry entry = find(argv[1])) return entry(argc - 1, argv + 1);
        if (std::string_view("help") == argv[1] || std::string_view("--help") == argv[1]) return print_help(stdout), 0;
        if (std::string_view("version") == argv[1] || std::string_view("--version") == argv[1]) return print_version();
        std::fprintf(stderr, "ekiden: there is no command %s\n", argv[1]);
    }
    print_help(stderr);
    return argc > 1 ? 2 : 0;
}
