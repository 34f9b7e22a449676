// What somebody wrote into a table, entry by entry, for who reports on tables (postfix check) instead of asking them:
// from the text where there is one, so that each entry has its line; else from the index, or from the name of the
// table. Blocks; thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace ekiden::table {

struct WrittenEntry {
    std::string_view key;           // as written: a name, a network, a pattern with its delimiters; "": all keys
    std::string_view value;
    std::string_view path;          // of the text, or of the index; "": the entry stands in the table's name
    int line = 0;                   // of the text; 0: there is none
    bool has_groups = false;        // the value holds $1 and the like, so that nobody knows it before
};

struct EntryBounds {
    std::uint64_t bytes = std::uint64_t{64} << 20;      // of one file; larger ones are not read
    std::size_t entries = 1'000'000;                    // of the whole table
};

// Calls `visit` for each entry of "type:name"; the views live as long as the call. Tables of tables are looked into.
// Lines that are no entries are left out: opening the table says what is wrong with them. False: there is more than was
// seen, since the table is another program's, cannot be read, or is larger than the bounds.
bool for_each_written_entry(std::string_view spec, const std::function<void(const WrittenEntry&)>& visit,
                            const EntryBounds& bounds = {});

}  // namespace ekiden::table
