// What somebody has written: the values of main.cf, then the -o entries of master.cf, each with its place. Defaults and the
// command line are not among them, since there is no line to point at. Thread: any.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <vector>

namespace ekiden::check {

struct WrittenValue {
    std::string parameter, value;    // expanded
    config::Location at;
    bool is_override = false;        // of one service
};
std::vector<WrittenValue> written_values(const config::Settings& settings);

}  // namespace ekiden::check
