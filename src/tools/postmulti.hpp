// The rooms of postmulti: the instances of this machine, and what is done with them. The primary instance is the one whose
// directory MAIL_CONFIG or the default names; its multi_instance_directories name the others.
#pragma once

#include "config/settings.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tools::postmulti {

struct Instance {
    std::string name, group;      // empty: none
    std::string directory;        // with main.cf
    std::string queue_directory, data_directory;
    bool is_enabled = false;
    bool is_primary = false;
    config::SettingsPtr settings;

    std::string label() const { return name.empty() ? directory : name; }
};

// Throws Refusal where a main.cf cannot be read or two instances share a name, queue or data directory.
struct Refusal {
    std::string text;
    bool is_from_script = false;  // said under the name postfix/postmulti-script
};
std::vector<Instance> read_instances();
Instance read_instance(const std::string& directory);
// Throws if `wanted` has a name or directory that `other` has.
void require_different(const Instance& wanted, const Instance& other);

struct Selection {
    bool is_all = false, is_reversed = false;
    std::optional<std::string> name, group;

    bool matches(const Instance& instance) const;
};

// postmulti -e: `action` is one of those of the manual; `parameters` are name=value.
struct Edit {
    std::string action;
    Selection where;
    std::optional<std::string> new_name, new_group;
    std::vector<std::string> parameters;
};
void edit_instances(const Edit& edit, std::vector<Instance> instances,
                    const std::function<void(std::string_view)>& warn);

// Runs `postfix WORDS` for this instance alone; its exit status.
int run_postfix(const Instance& instance, const std::vector<std::string>& words);

}  // namespace ekiden::tools::postmulti
