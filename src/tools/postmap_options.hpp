// The command lines of postmap and postalias.
#pragma once

#include "base/log.hpp"
#include "tools/postmap_message.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tools {

// Thrown to end the command with `PROGRAM: fatal: text` and status 1.
struct PostmapFatal {
    std::string text;
};
[[noreturn]] inline void postmap_fatal(std::string text) { throw PostmapFatal{std::move(text)}; }

struct MapName {
    std::string type, name;
    std::string spec() const { return type + ":" + name; }
};

enum class Duplicates { warn, ignore, replace };

struct PostmapJob {
    bool is_alias = false;
    std::string config_directory;
    int verbosity = 0;
    bool folds = true;
    bool values_are_files = false;                    // -F
    bool is_incremental = false;                      // -i
    std::optional<bool> has_nul;                      // -N, -n
    bool keeps_root = false;                          // -o
    bool inherits_permissions = true;                 // -p: no
    Duplicates duplicates = Duplicates::warn;         // -r, -w
    bool lists = false;                               // -s
    bool is_json = false;                             // -j
    std::optional<std::string> query_key, delete_key;  // -q, -d
    MessageCutter::Options message;                   // -b, -h, -m
    std::vector<std::string> maps;
};

// `program` is "postmap" or "postalias". Throws PostmapFatal for what cannot be; what is merely odd goes to `log`.
PostmapJob parse_postmap_arguments(int argc, char** argv, std::string_view program, const Logger& log);

}  // namespace ekiden::tools
