// What postmap and postalias look up and list: keys of the command line or of standard input, whole tables.
#pragma once

#include "table/table.hpp"
#include "tools/postmap_options.hpp"

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ekiden::tools {

// Everything throws PostmapFatal for what ends the command. Refers to all it is made of.
class TableReader {
public:
    TableReader(const PostmapJob& job, const Logger& log) : job_(job), log_(log) {}

    // A map to ask, behind those that are open.
    void open(MapName map);
    // Prints what the map that was opened last has for the key. False: nothing.
    bool query_last(const std::string& key) const;
    // Each line, or each header and body line, of standard input, with its key: the first map that has it answers.
    // False: none was there.
    bool query_stdin() const;
    void list(const MapName& map) const;

private:
    using Opened = std::pair<MapName, table::TablePtr>;
    table::TablePtr open_table(const MapName& map) const;
    bool query(std::span<const Opened> tables, const std::string& key, bool with_key) const;
    // One record as -q and -s print it; with -F what the value stands for.
    void show(const MapName& map, std::string_view key, std::string_view value, bool with_key) const;

    const PostmapJob& job_;
    const Logger& log_;
    std::vector<Opened> tables_;
};

// Lines of standard input, for -d -.
std::vector<std::string> read_input_lines();

}  // namespace ekiden::tools
