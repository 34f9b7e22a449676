// The physical lines of main.cf and master.cf, for messages that name the very line a word stands on: a list of
// restrictions that goes over twenty lines begins at one line, and its mistake is on another. Reads each file once, when
// it is first asked for; a file that cannot be read has no lines. Thread: one.
#pragma once

#include "config/settings.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::config {

class Source {
public:
    // Where `word` stands as a word of its own in the logical line that begins at `start`; `start` where it does not, as
    // when it comes from another parameter's value. `nth` 1 is the second time it stands there, and so on.
    Location find(const Location& start, std::string_view word, int nth = 0);

    const std::vector<std::string>& lines(const std::string& path);

private:
    std::map<std::string, std::vector<std::string>> files_;
};

}  // namespace ekiden::config
