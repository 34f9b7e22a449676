#include "check/access_contents.hpp"

#include "table/table.hpp"
#include "table/written_entries.hpp"

#include <algorithm>
#include <array>

namespace ekiden::check {

namespace {

constexpr std::size_t most_kept = 10'000;
// Answered from files and from main.cf, whatever they hold.
constexpr std::array<std::string_view, 11> local_types{"btree", "cdb",    "cidr", "hash",   "inline",  "internal",
                                                       "lmdb",  "pcre", "regexp", "static", "texthash"};

bool is_local(std::string_view spec)
{
    while (spec.starts_with("proxy:")) spec.remove_prefix(6);
    return std::ranges::find(local_types, spec.substr(0, spec.find(':'))) != local_types.end();
}

}  // namespace

AccessContents read_access_contents(std::string_view spec, const std::vector<std::string>& sample_keys,
                                    const std::function<bool(std::string_view)>& may_permit)
{
    AccessContents contents;
    contents.is_unknown = !table::for_each_written_entry(spec, [&](const table::WrittenEntry& entry) {
        // What everybody is answered the sample keys show.
        if (entry.key.empty() || !may_permit(entry.value)) return;
        if (++contents.permitting_count <= most_kept)
            contents.permitting.push_back({std::string(entry.key), std::string(entry.value),
                                           {std::string(entry.path), entry.line}});
    });
    if (contents.is_unknown && !is_local(spec)) return contents;
    const auto opened = table::open_table(spec);
    if (!opened) return contents;     // answers "try later" to everybody
    for (const std::string& key : sample_keys) {
        const auto answer = (*opened)->lookup(key);
        if (answer && *answer && may_permit(**answer)) contents.for_everybody.push_back({key, **answer, {}});
    }
    return contents;
}

}  // namespace ekiden::check
