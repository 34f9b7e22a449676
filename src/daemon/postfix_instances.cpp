#include "daemon/postfix_instances.hpp"

#include "base/text.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace ekiden::daemon {

std::optional<int> hand_to_manager(const config::Settings& settings, const std::vector<std::string>& words)
{
    const std::string wrapper = settings.str("multi_instance_wrapper");
    if (wrapper.empty() || settings.list("multi_instance_directories").empty()) return std::nullopt;
    if (!words.empty() && words.front() == "start-fg") {
        std::fprintf(
            stderr,
            "postfix: fatal: start-fg does not support multi_instance_directories; start one with \"postfix -c config_dir start-fg\"\n");
        return 1;
    }
    std::vector<std::string> all;
    for (const auto word : base::split_any(wrapper)) all.emplace_back(word);
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (std::string& word : all) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execvp(arguments.front(), arguments.data());
    std::fprintf(stderr, "postfix: fatal: %s: %s (see multi_instance_wrapper in %s/main.cf)\n", arguments.front(),
                 std::strerror(errno), settings.directory().c_str());
    return 1;
}

}  // namespace ekiden::daemon
