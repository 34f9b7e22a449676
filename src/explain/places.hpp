// Where a parameter, or one word of its value, is written: main.cf or master.cf with the line. Reads the files once.
#pragma once

#include "config/settings.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::explain {

struct Place {
    std::string file;        // empty: nobody set it, the default counts
    int line = 0;
    bool is_of_service = false;    // by -o in master.cf
    std::string text() const;      // "main.cf line 12", "master.cf line 20 (-o)", "default"
};

class Places {
public:
    // `settings` are those of the service, with its -o entries.
    explicit Places(config::SettingsPtr settings) : settings_(std::move(settings)) {}

    // `word`: the part of the value that is meant, in a value of several lines; empty: the parameter.
    Place find(std::string_view parameter, std::string_view word = {});

private:
    const std::vector<std::string>& lines_of(const std::string& file);
    config::SettingsPtr settings_;
    std::map<std::string, std::vector<std::string>> files_;
};

}  // namespace ekiden::explain
