// postmulti -e: instances come, go and change their names. What is changed is main.cf of the primary instance (the list)
// and of the instance; files are removed only by `destroy`, and only those that a mail system makes.
#include "tools/postmulti.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"
#include "config/main_cf.hpp"
#include "config/values.hpp"
#include "queue/store.hpp"
#include "tools/postconf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::tools::postmulti {

namespace {

namespace fs = std::filesystem;
using Warn = std::function<void(std::string_view)>;

constexpr std::string_view actions = "'create', 'destroy', 'import', 'deport', 'enable', 'disable', 'assign' or 'init'";
// What a new instance has from the primary one: where the shared files are, and to whom they belong.
constexpr std::array shared_parameters{"command_directory", "daemon_directory",  "meta_directory",
                                       "shlib_directory",   "mail_owner",        "setgid_group",
                                       "sendmail_path",     "newaliases_path",   "mailq_path",
                                       "html_directory",    "manpage_directory", "readme_directory"};
// The folders of a queue, and files beside them.
constexpr std::array queue_folders{"active", "bounce",   "corrupt", "defer",   "deferred", "flush", "hold", "incoming",
                                   "log",    "maildrop", "pid",     "private", "public",   "saved", "trace"};

[[noreturn]] void refuse(std::string text) { throw Refusal{std::move(text)}; }

void set_parameters(const std::string& directory, std::vector<std::string> assignments)
{
    postconf::Options options;
    options.program = "postmulti";
    options.directory = directory;
    options.is_edit = true;
    options.names = std::move(assignments);
    try {
        postconf::edit_main(options);
    } catch (const postconf::Fatal& error) {
        refuse(error.what());
    } catch (const config::ConfigError& error) {
        refuse(error.what());
    }
}

bool is_safe(std::string_view text)
{
    return !text.empty() &&
           std::ranges::all_of(text, [](char c) { return base::is_alnum(c) || std::string_view("-_.").contains(c); });
}

void check_new_names(const Edit& edit)
{
    if (edit.new_name && *edit.new_name != "-") {
        if (!edit.new_name->starts_with("postfix-")) refuse("New instance name must start with 'postfix-'");
        if (!is_safe(*edit.new_name)) refuse(fmt::format("Unsafe characters in '-I {}'", *edit.new_name));
    }
    if (edit.new_group && *edit.new_group != "-" && !is_safe(*edit.new_group))
        refuse(fmt::format("Unsafe characters in '-G {}'", *edit.new_group));
}

std::string or_none(const std::string& name) { return name == "-" ? "" : name; }

Instance& existing(const Edit& edit, std::vector<Instance>& instances, bool may_be_primary)
{
    if (!edit.where.name) refuse("Select an instance via '-i name'");
    const auto found =
        std::ranges::find_if(instances, [&](const Instance& instance) { return edit.where.matches(instance); });
    if (found == instances.end()) refuse(fmt::format("No instance named {}", *edit.where.name));
    if (found->is_primary && !may_be_primary) refuse("Cannot remove the primary instance");
    return *found;
}

void require_initialized(const Instance& primary)
{
    if (primary.settings->str("multi_instance_wrapper").empty())
        throw Refusal{"multi_instance_wrapper is empty, run 'postmulti -e init' first.", true};
    if (!primary.settings->boolean("multi_instance_enable"))
        throw Refusal{"multi_instance_enable!=yes, run 'postmulti -e init' first.", true};
}

void set_list(const Instance& primary, const std::vector<std::string>& directories)
{
    set_parameters(primary.directory, {fmt::format("multi_instance_directories = {}", fmt::join(directories, " "))});
}

bool is_running(const Instance& instance)
{
    // The master holds this lock as long as it lives.
    const auto file = base::open_file(instance.queue_directory + "/pid/master.pid", O_RDONLY);
    if (!file) return false;
    return ::flock(file->get(), LOCK_SH | LOCK_NB) != 0;
}

// ---- create and import ----

// Paths as given, else the primary's with the new name as their last part.
Instance planned(const Edit& edit, const Instance& primary)
{
    const bool creates = edit.action == "create";
    Instance instance;
    if (edit.new_name) instance.name = or_none(*edit.new_name);
    if (edit.new_group) instance.group = or_none(*edit.new_group);
    const std::pair<const char*, std::string*> paths[] = {{"config_directory", &instance.directory},
                                                          {"queue_directory", &instance.queue_directory},
                                                          {"data_directory", &instance.data_directory}};
    const std::string primaries[] = {primary.directory, primary.queue_directory, primary.data_directory};
    for (const auto& parameter : edit.parameters) {
        std::string error;
        const auto pair = config::split_name_value(parameter, error);
        if (!pair) refuse(error);
        const auto path = std::ranges::find_if(paths, [&](const auto& known) { return pair->name == known.first; });
        if (path == std::end(paths) || (!creates && path != std::begin(paths)))
            refuse(fmt::format("Parameter '{}' not valid with action {}", pair->name, edit.action));
        if (!pair->value.starts_with('/'))
            refuse(fmt::format("Parameter setting '{}' is not an absolute path", pair->name));
        if (pair->value.find_first_of(" \t,") != std::string_view::npos)
            refuse(fmt::format("Parameter setting '{}' must not hold blanks or commas", pair->name));
        *path->second = pair->value;
    }
    for (std::size_t i = 0; i < std::size(paths); ++i) {
        if (!paths[i].second->empty() || (!creates && i > 0)) continue;
        if (instance.name.empty()) refuse(fmt::format("Missing {} parameter value", paths[i].first));
        // The primary's, with the name in place of its last part; a slash behind that is none.
        std::string_view own = primaries[i];
        while (own.size() > 1 && own.ends_with('/')) own.remove_suffix(1);
        *paths[i].second = (fs::path(own).parent_path() / instance.name).string();
    }
    return instance;
}

void copy_file(const std::string& from, const std::string& to)
{
    std::error_code trouble;
    fs::copy_file(from, to, trouble);
    if (trouble) refuse(fmt::format("copy {} to {}: {}", from, to, trouble.message()));
}

void make_configuration(const Instance& instance, const Instance& primary)
{
    std::error_code trouble;
    fs::create_directories(instance.directory, trouble);
    if (trouble) refuse(fmt::format("mkdir {}: {}", instance.directory, trouble.message()));
    const std::string stock = primary.settings->str("meta_directory");
    const std::string main_cf = instance.directory + "/main.cf", master_cf = instance.directory + "/master.cf";
    if (::access((stock + "/main.cf.proto").c_str(), R_OK) == 0) {
        copy_file(stock + "/main.cf.proto", main_cf);
    } else {
        const auto file = base::open_file(main_cf, O_WRONLY | O_CREAT | O_EXCL, 0644);
        if (!file) refuse(file.error().text());
    }
    const bool has_stock = ::access((stock + "/master.cf.proto").c_str(), R_OK) == 0;
    copy_file(has_stock ? stock + "/master.cf.proto" : primary.directory + "/master.cf", master_cf);
    std::vector<std::string> words;
    for (const char* shared : shared_parameters)
        if (primary.settings->is_set(shared))
            words.push_back(fmt::format("{} = {}", shared, primary.settings->raw(shared)));
    // Without a word of the administrator it takes no mail: neither from the net nor from commands.
    words.push_back("compatibility_level = " + primary.settings->str("compatibility_level"));
    words.push_back("queue_directory = " + instance.queue_directory);
    words.push_back("data_directory = " + instance.data_directory);
    words.emplace_back("master_service_disable = inet");
    words.emplace_back("authorized_submit_users =");
    set_parameters(instance.directory, std::move(words));
}

void add_instance(const Edit& edit, std::vector<Instance>& instances)
{
    const Instance& primary = instances.front();
    check_new_names(edit);
    Instance wanted = planned(edit, primary);
    for (const Instance& other : instances) {
        if (wanted.directory == other.directory)
            refuse(fmt::format("new config_directory={0} is already in use by instance {0}, config_directory={0}",
                               wanted.directory));
        require_different(wanted, other);
    }
    require_initialized(primary);
    const bool has_main = ::access((wanted.directory + "/main.cf").c_str(), F_OK) == 0,
               has_master = ::access((wanted.directory + "/master.cf").c_str(), F_OK) == 0;
    if (!has_main || !has_master) {
        if (edit.action == "import" || has_main || has_master)
            refuse(fmt::format("{} must hold main.cf and master.cf, or (to create an instance) neither",
                               wanted.directory));
        make_configuration(wanted, primary);
    }
    std::vector<std::string> names;
    if (edit.new_name) names.push_back("multi_instance_name = " + wanted.name);
    if (edit.new_group) names.push_back("multi_instance_group = " + wanted.group);
    if (!names.empty()) set_parameters(wanted.directory, std::move(names));
    const Instance made = read_instance(wanted.directory);
    for (const Instance& other : instances) require_different(made, other);
    if (run_postfix(made, {"set-permissions"}) != 0)
        refuse(fmt::format("the directories of {} could not be made", made.directory));

    // -a: in front of all; -g, -i: in front of the first that matches; else behind all.
    std::vector<std::string> directories;
    bool is_placed = false;
    const auto& where = edit.where;
    for (std::size_t i = 1; i < instances.size(); ++i) {
        const bool is_here = where.is_all || ((where.name || where.group) && where.matches(instances[i]));
        if (is_here && !std::exchange(is_placed, true)) directories.push_back(made.directory);
        directories.push_back(instances[i].directory);
    }
    if (!is_placed) directories.push_back(made.directory);
    set_list(primary, directories);
}

// ---- deport and destroy ----

void deport(const Instance& gone, const std::vector<Instance>& instances)
{
    std::vector<std::string> directories;
    for (const Instance& instance : instances)
        if (!instance.is_primary && instance.directory != gone.directory) directories.push_back(instance.directory);
    set_list(instances.front(), directories);
}

// Removes plain files, sockets and empty folders of this folder, then the folder if nothing is left.
void remove_folder(const std::string& path, const std::function<bool(const fs::path&)>& is_ours, const Warn& warn)
{
    std::error_code trouble;
    if (!fs::is_directory(fs::symlink_status(path, trouble))) return;
    std::vector<fs::path> ours;
    for (const auto& entry : fs::directory_iterator(path, trouble))
        if (!entry.is_directory(trouble) && is_ours(entry.path())) ours.push_back(entry.path());
    for (const auto& file : ours) fs::remove(file, trouble);
    fs::remove(path, trouble);
    if (trouble) warn(fmt::format("{} is left: {}", path, trouble.message()));
}

void require_empty_queue(const Instance& instance)
{
    std::error_code ignored;
    if (fs::directory_iterator waiting(instance.queue_directory + "/maildrop", ignored);
        !ignored && waiting != fs::directory_iterator())
        refuse(fmt::format("Instance '{}' has mail in {}/maildrop", instance.label(), instance.queue_directory));
    queue::StoreOptions options;
    options.directory = instance.queue_directory + "/log";
    options.is_read_only = true;
    if (!fs::exists(options.directory, ignored)) return;
    const auto store = queue::open_store(options);
    if (!store)
        refuse(fmt::format("Instance '{}': the queue cannot be read: {}", instance.label(), store.error().text()));
    if (const auto count = (*store)->size(); count > 0)
        refuse(fmt::format("Instance '{}' has {} message(s) in its queue; deliver or delete them first",
                           instance.label(), count));
}

void destroy(const Instance& instance, const std::vector<Instance>& instances, const Warn& warn)
{
    if (is_running(instance))
        refuse(fmt::format("Instance '{}' is running; say 'postmulti -i {} -p stop' first", instance.label(),
                           instance.label()));
    require_empty_queue(instance);
    const auto everything = [](const fs::path&) { return true; };
    for (const char* folder : queue_folders) remove_folder(instance.queue_directory + "/" + folder, everything, warn);
    remove_folder(instance.queue_directory, [](const fs::path&) { return false; }, warn);
    remove_folder(instance.data_directory, everything, warn);
    remove_folder(
        instance.directory,
        [](const fs::path& path) { return path.filename() == "main.cf" || path.filename() == "master.cf"; }, warn);
    deport(instance, instances);
}

void assign(const Edit& edit, std::vector<Instance>& instances)
{
    if (!edit.new_name && !edit.new_group) refuse("Specify new instance name or group with '-e assign'");
    const Instance& instance = existing(edit, instances, true);
    check_new_names(edit);
    require_initialized(instances.front());
    std::vector<std::string> words;
    if (edit.new_name) {
        Instance renamed{.name = or_none(*edit.new_name), .directory = instance.directory};
        for (const Instance& other : instances)
            if (other.directory != instance.directory) require_different(renamed, other);
        words.push_back("multi_instance_name = " + renamed.name);
    }
    if (edit.new_group) words.push_back("multi_instance_group = " + or_none(*edit.new_group));
    set_parameters(instance.directory, std::move(words));
}

}  // namespace

void edit_instances(const Edit& edit, std::vector<Instance> instances, const Warn& warn)
{
    const Instance& primary = instances.front();
    const std::string& action = edit.action;
    const bool adds = action == "create" || action == "import";
    const bool is_known = adds || action == "destroy" || action == "deport" || action == "enable" ||
                          action == "disable" || action == "assign" || action == "init";
    if (!is_known) refuse(fmt::format("Invalid '-e' edit action '{}'. Specify {}", action, actions));
    if (!adds && action != "assign" && (edit.new_name || edit.new_group))
        refuse(fmt::format("Cannot assign instance name or group with '-e {}'", action));
    if (!adds && !edit.parameters.empty()) refuse(fmt::format("Parameter overrides not valid with '-e {}'", action));
    if (adds) return add_instance(edit, instances);
    if (action == "init")
        return set_parameters(primary.directory, {"multi_instance_wrapper = ${command_directory}/postmulti -p --",
                                                  "multi_instance_enable = yes"});
    if (action == "assign") return assign(edit, instances);
    const bool is_switch = action == "enable" || action == "disable";
    const Instance& instance = existing(edit, instances, is_switch);
    require_initialized(primary);
    if (!is_switch && instance.is_enabled)
        refuse(
            fmt::format("Cannot remove enabled instances; say 'postmulti -i {} -e disable' first", instance.label()));
    if (is_switch)
        set_parameters(instance.directory,
                       {fmt::format("multi_instance_enable = {}", action == "enable" ? "yes" : "no")});
    else if (action == "deport") deport(instance, instances);
    else destroy(instance, instances, warn);
}

}  // namespace ekiden::tools::postmulti
