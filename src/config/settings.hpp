// What main.cf and master.cf say, as an immutable snapshot.
//
// A Settings object is made once at start and once per reload, shared as shared_ptr<const Settings>, and read from any
// thread without a lock. Rooms on the hot path do not look parameters up by name per message: they build a small typed
// struct of their own from it (`receive::Options::from(settings)`) once per snapshot and service.
//
// load() reads exactly as Postfix reads: continuation lines, comments and blank lines inside values, `$name` forms,
// overriding entries with a warning. What Postfix refuses is refused with Postfix's text; what Postfix swallows but is
// probably a mistake becomes a Problem of level warning with file, line and a suggestion.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "config/master_cf.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::config {

struct Location {
    std::string file;
    int line = 0;  // 1-based; 0: not from a file (default, command line)
};

struct Problem {
    enum class Level { warning, fatal } level;
    Location at;
    std::string text;  // complete sentence in Postfix's words where Postfix has words for it, file and line included
    std::string parameter = {};  // what it is about, where that is one name
    std::string advice = {};     // what to write instead; the text ends with it
    bool harms_others = false;   // the Internet, not this site alone: said even where nobody asked for hints
};

// How Postfix names a place: "main.cf, line 3: ", "master.cf: line 3: ", "FILE: " without a line, "" without a file.
std::string place_of(const Location& at);
// "PLACE WHAT: ADVICE", the advice and its colon only where there is one.
Problem make_problem(Problem::Level level, const Location& at, std::string_view what, std::string_view parameter = {},
                     std::string_view advice = {});

// Thrown while a snapshot is made and by typed accessors given a name that is not in the table (a bug of ours).
// what() is the text that Postfix prints after "fatal: ".
class ConfigError : public std::runtime_error {
public:
    explicit ConfigError(const std::string& text, Location at = {}) : std::runtime_error(text), location(std::move(at))
    {
    }
    Location location;
};

// How much is checked while a snapshot is made.
enum class Checks {
    none,     // postconf: shows what is there without judging it
    command,  // what every Postfix program checks at start: global parameters, host names, interfaces
    server,   // all parameters: nothing that a daemon would stumble over later is let through
};

struct LoadOptions {
    std::string directory;                                        // -c DIR, else MAIL_CONFIG, else /etc/postfix
    std::vector<std::pair<std::string, std::string>> overrides;   // -o name=value of a command line
    bool read_main_cf = true;  // false: the defaults alone (postconf -d)
    bool read_master_cf = true;
    bool is_strict = true;  // false: Checks::none, unless `checks` says more
    std::optional<Checks> checks;  // default: server if is_strict, else none

    Checks effective_checks() const { return checks.value_or(is_strict ? Checks::server : Checks::none); }
};

// The directory for -c / MAIL_CONFIG / default, as every command finds it.
std::string find_config_directory(std::string_view from_option = {});

class Settings {
public:
    // Throws ConfigError where Postfix would be fatal. Warnings are collected in problems().
    static std::shared_ptr<const Settings> load(const LoadOptions& options);

    // A snapshot like this one with `-o name=value` entries of a master.cf service on top; also sets $service_name
    // and $syslog_name defaults as Postfix does. Values are checked: throws ConfigError naming master.cf's line.
    std::shared_ptr<const Settings> for_service(const ServiceSpec& service) const;
    std::shared_ptr<const Settings> with(const std::vector<std::pair<std::string, std::string>>& overrides,
                                         Location at = {}) const;

    // Values, `$` expanded. Typed accessors check type and bounds of the parameter table and throw ConfigError with
    // Postfix's text ("bad numerical configuration: …"); after load() with is_strict they cannot throw for a
    // parameter of the table.
    std::string str(std::string_view name) const;
    std::int64_t integer(std::string_view name) const;
    bool boolean(std::string_view name) const;
    std::chrono::seconds time(std::string_view name) const;
    std::vector<std::string> list(std::string_view name) const;       // split at ", \t\r\n", `{…}` kept together
    std::string raw(std::string_view name) const;                     // unexpanded, default included
    bool is_set(std::string_view name) const;                         // explicitly, in main.cf or by -o
    Location location(std::string_view name) const;                   // where it was set
    // `<transport>_name` with `default_name` as fall-back: transport_parameter("relay", "destination_concurrency_limit").
    std::int64_t transport_integer(std::string_view transport, std::string_view suffix) const;
    std::chrono::seconds transport_time(std::string_view transport, std::string_view suffix) const;
    // Expands `$name`, `${name?text}`… in any text with this snapshot's values.
    std::string expand(std::string_view text) const;

    const std::string& directory() const;        // config_directory
    const std::vector<ServiceSpec>& services() const;   // master.cf, in order
    const std::vector<Problem>& problems() const;       // warnings met while reading, each once
    int compatibility_level() const;                    // major part
    bool compatibility_level_is_at_least(int major, int minor = 0, int patch = 0) const;
    // Every name that main.cf sets, in file order (postconf -n, lint).
    std::vector<std::string> names_set() const;

    struct Data;
    explicit Settings(std::shared_ptr<const Data> data);
    const Data& data() const { return *data_; }

private:
    std::shared_ptr<const Data> data_;
};

using SettingsPtr = std::shared_ptr<const Settings>;

}  // namespace ekiden::config
