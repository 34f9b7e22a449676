// What a Settings object holds. For the rooms of this folder and postconf; others use Settings. Thread: immutable.
#pragma once

#include "config/parameters.hpp"
#include "config/settings.hpp"

#include <optional>
#include <unordered_map>

namespace ekiden::config {

struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
};

struct Setting {
    std::string raw;       // unexpanded, as written or the default
    std::string expanded;  // equal to raw for Kind::raw
    Location at;
    const Parameter* parameter = nullptr;  // null: a name of the administrator's own, or of a service
    bool is_set = false;                   // main.cf or -o
};

struct Settings::Data {
    std::string directory;
    Checks checks = Checks::server;
    std::unordered_map<std::string, Setting, NameHash, std::equal_to<>> values;
    std::vector<std::string> names_in_order;
    std::vector<ServiceSpec> services;
    std::vector<Problem> problems;
    std::int64_t compatibility_level = 0;

    const Setting* find(std::string_view name) const
    {
        const auto found = values.find(name);
        return found == values.end() ? nullptr : &found->second;
    }
    // The unexpanded value: set, or the default of the table or of a service parameter.
    std::optional<std::string_view> raw(std::string_view name) const;
    void set(std::string_view name, std::string_view value, Location at);
    // Fills in the defaults that depend on the machine, then every expanded value. Where a value cannot be expanded:
    // ConfigError, or with Checks::none a problem and the value as written.
    void finish();
};

}  // namespace ekiden::config
