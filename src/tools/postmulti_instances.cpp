// What main.cf says of the instances of this machine.
#include "tools/postmulti.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace ekiden::tools::postmulti {

namespace {

constexpr std::size_t most_instances = 1000;

}  // namespace

Instance read_instance(const std::string& directory)
{
    Instance instance;
    try {
        config::LoadOptions options;
        options.directory = directory;
        options.checks = config::Checks::none;
        options.read_master_cf = false;
        instance.settings = config::Settings::load(options);
        instance.directory = directory;
        instance.name = instance.settings->str("multi_instance_name");
        instance.group = instance.settings->str("multi_instance_group");
        instance.queue_directory = instance.settings->str("queue_directory");
        instance.data_directory = instance.settings->str("data_directory");
        instance.is_enabled = instance.settings->boolean("multi_instance_enable");
    } catch (const config::ConfigError& error) {
        throw Refusal{fmt::format("instance {}: {}", directory, error.what())};
    }
    return instance;
}

void require_different(const Instance& wanted, const Instance& other)
{
    const auto compare = [&](const char* what, const std::string& mine, const std::string& theirs) {
        if (!mine.empty() && mine == theirs)
            throw Refusal{fmt::format("instance {0}, {2}={3} conflicts with instance {1}, {2}={3}", wanted.directory,
                                      other.directory, what, mine)};
    };
    compare("config_directory", wanted.directory, other.directory);
    compare("multi_instance_name", wanted.name, other.name);
    compare("queue_directory", wanted.queue_directory, other.queue_directory);
    compare("data_directory", wanted.data_directory, other.data_directory);
}

std::vector<Instance> read_instances()
{
    const std::string directory = config::find_config_directory({});
    std::vector<Instance> instances;
    instances.push_back(read_instance(directory));
    Instance& primary = instances.front();
    primary.is_primary = true;
    const auto others = primary.settings->list("multi_instance_directories");
    if (others.size() > most_instances)
        throw Refusal{fmt::format("more than {} instances in multi_instance_directories", most_instances)};
    // One instance alone is started whether or not it says that it takes part.
    if (others.empty()) primary.is_enabled = true;
    for (const auto& other : others) {
        Instance instance = read_instance(other);
        for (const auto& earlier : instances) require_different(instance, earlier);
        instances.push_back(std::move(instance));
    }
    return instances;
}

}  // namespace ekiden::tools::postmulti
