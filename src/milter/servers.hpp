// The milters of a service as its settings name them: where each listens, how long we wait for it, what happens when it
// fails. Made once per snapshot; immutable, any core.
#pragma once

#include "config/settings.hpp"
#include "milter/macros.hpp"

#include <chrono>
#include <memory>

namespace ekiden::milter {

// What becomes of mail when a milter cannot be asked (milter_default_action).
enum class DefaultAction : std::uint8_t { accept, reject, tempfail, quarantine, shutdown };

struct Server {
    std::string name;       // as written, for the log: "inet:localhost:8891"
    bool is_local = false;  // a socket in the file system
    std::string host, port; // inet
    std::string path;       // absolute
    std::chrono::seconds connect_timeout{30}, command_timeout{30}, content_timeout{300};
    DefaultAction default_action = DefaultAction::tempfail;
    unsigned version = 6; // 2, 3, 4 or 6
};
using Servers = std::vector<Server>;

// What all milters of a service have in common, and what a list of them may leave unsaid.
struct Setup {
    // `is_chrooted`: absolute names of sockets are those below the queue directory, as the service line would see them.
    // Throws config::ConfigError.
    static std::shared_ptr<const Setup> from(const config::Settings& settings, bool is_chrooted);

    MacroNames macros;
    MacroDefaults macro_defaults;
    std::string host_name, daemon_name, version_text; // {j}, {daemon_name}, {v}
    std::string known_ports;                          // known_tcp_ports
    std::string queue_directory;
    bool is_chrooted = false;
    Server defaults;

    // A list as smtpd_milters has it: words, and `{ word, name=value … }` groups. An Error says what is wrong with it.
    Result<Servers> parse(std::string_view list) const;
};
using SetupPtr = std::shared_ptr<const Setup>;

// Does master.cf have the first line of that command in a chroot? (For those rooms that have no line of their own.)
bool is_chrooted(const config::Settings& settings, std::string_view command);
// What is the same in every session: {j}, {v}, {daemon_name}.
std::optional<std::string> common_value(const Setup& setup, std::string_view name);

} // namespace ekiden::milter
