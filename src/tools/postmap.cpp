#include "tools/postmap.hpp"

#include "base/log.hpp"
#include "base/log_sinks.hpp"
#include "config/settings.hpp"
#include "tools/commands.hpp"
#include "tools/postmap_making.hpp"
#include "tools/postmap_options.hpp"
#include "tools/postmap_reading.hpp"

#include <cstdio>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

namespace ekiden::tools {

namespace {

class Postmap {
public:
    Postmap(PostmapJob job, std::string program) : job_(std::move(job)), log_(std::move(program)) {}

    int run();

private:
    MapName split(const std::string& map) const;
    bool look_up() const;
    void say_verbose() const;

    PostmapJob job_;
    Logger log_;
    config::SettingsPtr settings_;
};

MapName Postmap::split(const std::string& map) const
{
    const std::size_t colon = map.find(':');
    // "/etc/aliases" and "./a:b" are names; a type holds no slash.
    if (colon == map.npos || map.find('/') < colon) return {settings_->str("default_database_type"), map};
    if (colon == 0 || colon + 1 == map.size())
        postmap_fatal("open dictionary: expecting \"type:name\" form instead of \"" + map + "\"");
    MapName split{map.substr(0, colon), map.substr(colon + 1)};
    return split;
}

void Postmap::say_verbose() const
{
    for (const auto& protocol : settings_->list("inet_protocols")) log_.info("name_mask: {}", protocol);
    int v4 = 0, v6 = 0;
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) == 0) {
        for (const ifaddrs* at = first; at; at = at->ifa_next) {
            if (!at->ifa_addr || !(at->ifa_flags & IFF_UP)) continue;
            v4 += at->ifa_addr->sa_family == AF_INET;
            v6 += at->ifa_addr->sa_family == AF_INET6;
        }
        ::freeifaddrs(first);
    }
    log_.info("inet_addr_local: configured {} IPv4 addresses", v4);
    log_.info("inet_addr_local: configured {} IPv6 addresses", v6);
}

bool Postmap::look_up() const
{
    TableReader reader(job_, log_);
    const bool has_many = *job_.query_key == "-";
    for (const auto& map : job_.maps) {
        reader.open(split(map));
        // A map behind the one that has the key is not opened.
        if (!has_many && reader.query_last(*job_.query_key)) return true;
    }
    return has_many && reader.query_stdin();
}

int Postmap::run()
{
    config::LoadOptions load;
    load.directory = config::find_config_directory(job_.config_directory);
    load.read_master_cf = false;
    load.is_strict = false;
    settings_ = config::Settings::load(load);
    for (const auto& problem : settings_->problems())
        if (problem.text.contains("overriding earlier entry")) log_.warning("{}", problem.text);
    if (job_.verbosity > 0) say_verbose();

    if (job_.lists) {
        for (const auto& map : job_.maps) TableReader(job_, log_).list(split(map));
        return 0;
    }
    if (job_.query_key) return look_up() ? 0 : 1;
    if (job_.delete_key) {
        const std::vector<std::string> keys =
            *job_.delete_key == "-" ? read_input_lines() : std::vector{*job_.delete_key};
        bool is_found = false;
        for (const auto& map : job_.maps) is_found |= TableMaker(job_, *settings_, log_).erase(split(map), keys);
        return is_found ? 0 : 1;
    }
    if (job_.maps.empty() && job_.is_alias) job_.maps = settings_->list("alias_database");
    for (const auto& map : job_.maps) TableMaker(job_, *settings_, log_).build(split(map));
    return 0;
}

// Runs `body` and turns what it throws into the last line of a Postfix command.
template <class Body>
int run_command(const Logger& log, Body body)
{
    int status = 1;
    try {
        status = body();
    } catch (const PostmapFatal& end) {
        std::fflush(stdout);
        log.fatal("{}", end.text);
    } catch (const config::ConfigError& error) {
        log.fatal("{}", error.what());
    }
    if (std::fflush(stdout) != 0 && status == 0) status = 1;
    base::flush_log();
    return status;
}

}  // namespace

int postmap_main(int argc, char** argv)
{
    const std::string_view name = argc > 0 ? argv[0] : "";
    const std::string program = name.ends_with("postalias") ? "postalias" : "postmap";
    const Logger log{program};
    return run_command(log, [&] { return Postmap(parse_postmap_arguments(argc, argv, program, log), program).run(); });
}

int rebuild_aliases(const std::string& config_directory, const std::vector<std::string>& maps, int verbosity)
{
    PostmapJob job;
    job.is_alias = true;
    job.config_directory = config_directory;
    job.verbosity = verbosity;
    job.maps = maps;
    // Who typed newaliases wants to see it; the caller has opened the log of sendmail.
    base::use_sink(base::stderr_sink());
    const Logger log{"postalias"};
    return run_command(log, [&] { return Postmap(std::move(job), "postalias").run(); });
}

}  // namespace ekiden::tools
