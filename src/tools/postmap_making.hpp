// What postmap and postalias write: tables made anew, entries added to them and taken out of them.
#pragma once

#include "config/settings.hpp"
#include "table/index_writer.hpp"
#include "tools/postmap_options.hpp"

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tools {

// Everything throws PostmapFatal for what ends the command. Refers to all it is made of.
class TableMaker {
public:
    TableMaker(const PostmapJob& job, const config::Settings& settings, const Logger& log);

    // From the file of the map's name; with -i from standard input, into the table that is there.
    void build(const MapName& map);
    // False: none of the keys was there.
    bool erase(const MapName& map, const std::vector<std::string>& keys);

private:
    void add_entries(const MapName& map, table::IndexWriter& writer, const table::IndexFormat& format,
                     std::string_view text, const std::string& source);
    void add_alias_marks(const MapName& map, table::IndexWriter& writer, const table::IndexFormat& format);
    void put(const MapName& map, table::IndexWriter& writer, const table::IndexFormat& format, const std::string& key,
             const std::string& value, std::optional<bool> has_nul, const std::string& shown_key);
    std::expected<std::string, std::string> value_of_files(std::string_view names) const;
    std::string folded(std::string_view key) const;

    const PostmapJob& job_;
    const config::Settings& settings_;
    const Logger& log_;
    Duplicates duplicates_;
};

}  // namespace ekiden::tools
