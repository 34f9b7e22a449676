// postmulti(1): several instances on one machine: lists them, runs a command for each, starts and stops them together.
#include "tools/postmulti.hpp"

#include "base/text.hpp"
#include "tools/commands.hpp"
#include "tools/support.hpp"

#include <getopt.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ekiden::tools {

namespace {

using postmulti::Instance;
using postmulti::Refusal;

constexpr auto usage =
    "usage: postmulti -l [-aRv] [-g group] [-i name] | postmulti -p [-av] [-g group] [-i name] command... | "
    "postmulti -x [-aRv] [-g group] [-i name] command... | postmulti -e action [-av] [-g group] [-i name] [-G group] [-I name] [param=value ...]";

struct Options {
    char mode = 0;    // l, p, x, e
    postmulti::Edit edit;
    std::vector<std::string> words;
};

bool contains(const config::Settings& settings, const char* parameter, const std::string& word)
{
    const auto words = settings.list(parameter);
    return std::ranges::find(words, word) != words.end();
}

// What a command needs to know of the instance it works on.
void export_instance(const Instance& instance)
{
    const std::pair<const char*, std::string> variables[] = {
        {"MAIL_CONFIG", instance.directory},
        {"command_directory", instance.settings->str("command_directory")},
        {"daemon_directory", instance.settings->str("daemon_directory")},
        {"config_directory", instance.directory},
        {"queue_directory", instance.queue_directory},
        {"data_directory", instance.data_directory},
        {"multi_instance_name", instance.name},
        {"multi_instance_group", instance.group},
        {"multi_instance_enable", instance.is_enabled ? "yes" : "no"},
    };
    for (const auto& [name, value] : variables) ::setenv(name, value.c_str(), 1);
}

// The exit status; -1 with errno if there is no process for it.
int run(const Instance& instance, const std::string& program, const std::vector<std::string>& words)
{
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child < 0) return -1;
    if (child == 0) {
        export_instance(instance);
        std::vector<char*> arguments;
        for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
        ::execvp(program.c_str(), arguments.data());
        std::fprintf(stderr, "postmulti: fatal: %s: %s\n", program.c_str(), std::strerror(errno));
        ::_exit(127);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

// "start" is only a check for who is not enabled; what needs a running system passes by them.
std::optional<std::vector<std::string>> words_for(const Instance& instance, const config::Settings& primary,
                                                  std::vector<std::string> words)
{
    if (instance.is_enabled) return words;
    const std::string& word = words.front();
    if (contains(primary, "postmulti_start_commands", word)) {
        words.front() = "check";
        return words;
    }
    if (contains(primary, "postmulti_stop_commands", word) || contains(primary, "postmulti_control_commands", word))
        return std::nullopt;
    return words;
}

int iterate(const Voice& voice, const Options& options, std::vector<Instance> instances)
{
    const config::SettingsPtr primary = instances.front().settings;
    const auto& where = options.edit.where;
    std::erase_if(instances, [&](const Instance& instance) { return !where.matches(instance); });
    if (instances.empty()) {
        voice.warning(where.name ? fmt::format("there is no instance named {}", *where.name)
                                 : fmt::format("no instance is in the group {}", where.group.value_or("")));
        return 1;
    }
    const bool stops = options.mode == 'p' && contains(*primary, "postmulti_stop_commands", options.words.front());
    if (where.is_reversed || stops) std::ranges::reverse(instances);
    int worst = 0;
    for (const Instance& instance : instances) {
        if (options.mode == 'l') {
            fmt::print("{:<15} {:<15} {:<9} {}\n", instance.name.empty() ? "-" : instance.name,
                       instance.group.empty() ? "-" : instance.group, instance.is_enabled ? 'y' : 'n',
                       instance.directory);
            continue;
        }
        int status = 0;
        if (options.mode == 'x') status = run(instance, options.words.front(), options.words);
        else if (const auto words = words_for(instance, *primary, options.words))
            status = postmulti::run_postfix(instance, *words);
        if (status != 0) worst = 1;
    }
    return std::fflush(stdout) == 0 ? worst : 1;
}

void set_mode(const Voice& voice, Options& options, char mode)
{
    if (options.mode != 0) voice.fatal("Specify exactly one of '-e', '-l', '-p', '-x'");
    options.mode = mode;
}

Options parse(const Voice& voice, int argc, char** argv)
{
    Options options;
    auto& where = options.edit.where;
    int letter;
    while ((letter = ::getopt(argc, argv, "+ae:g:i:G:I:lpRvx")) != -1) {
        switch (letter) {
        case 'a': where.is_all = true; break;
        case 'e': set_mode(voice, options, 'e'), options.edit.action = optarg; break;
        case 'g': where.group = optarg; break;
        case 'i': where.name = optarg; break;
        case 'G': options.edit.new_group = optarg; break;
        case 'I': options.edit.new_name = optarg; break;
        case 'l':
        case 'p':
        case 'x': set_mode(voice, options, static_cast<char>(letter)); break;
        case 'R': where.is_reversed = true; break;
        case 'v': ::setenv("MAIL_VERBOSE", "1", 1); break;
        default: voice.fatal(usage);
        }
    }
    if (options.mode == 0) voice.fatal("Specify exactly one of '-e', '-l', '-p', '-x'");
    if (where.is_all + where.name.has_value() + where.group.has_value() > 1)
        voice.fatal("Specify no more than one of '-a', '-g', '-i'");
    if (where.is_reversed && (options.mode == 'p' || options.mode == 'e'))
        voice.fatal("The '-p' and '-e' options preclude the use of '-R'");
    if (options.mode != 'e' && (options.edit.new_name || options.edit.new_group))
        voice.fatal("The '-G' and '-I' options are only for '-e'");
    options.words.assign(argv + optind, argv + argc);
    if (options.mode == 'e') options.edit.parameters = options.words;
    if (options.mode == 'l' && !options.words.empty()) voice.fatal("Command not allowed with '-l'");
    if ((options.mode == 'p' || options.mode == 'x') && options.words.empty())
        voice.fatal("Command required with '-p' or '-x' option");
    return options;
}

}  // namespace

namespace postmulti {

bool Selection::matches(const Instance& instance) const
{
    if (name)
        return *name == "-" ? instance.is_primary
                            : (*name == instance.name && !instance.name.empty()) || *name == instance.directory;
    return !group || (!instance.group.empty() && *group == instance.group);
}

int run_postfix(const Instance& instance, const std::vector<std::string>& words)
{
    std::vector<std::string> all{"postfix", "-c", instance.directory};
    all.insert(all.end(), words.begin(), words.end());
    return run(instance, find_command(*instance.settings, "postfix"), all);
}

}  // namespace postmulti

int postmulti_main(int argc, char** argv)
{
    Voice voice("postmulti", 1);
    static char name[] = "postmulti";
    argv[0] = name;
    const Options options = parse(voice, argc, argv);
    try {
        auto instances = postmulti::read_instances();
        if (options.mode != 'e') return iterate(voice, options, std::move(instances));
        voice.use_log(*instances.front().settings);
        postmulti::edit_instances(options.edit, std::move(instances),
                                  [&](std::string_view text) { voice.warning(text); });
        return 0;
    } catch (const Refusal& refusal) {
        if (!refusal.is_from_script) voice.fatal(refusal.text);
        Voice("postfix/postmulti-script", 1, "postmulti-script").fatal(refusal.text);
    }
}

}  // namespace ekiden::tools
