// What an access table may say to a client that nobody knows, found by reading it: for the proof that a server is no open
// relay, and before the start. Tables that ask another program hold what that program pleases. Blocks; thread: any.
#pragma once

#include "config/settings.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::check {

struct PermittingEntry {
    std::string key, value;
    config::Location at;        // line 0 where there is no text with lines
};

struct AccessContents {
    // Nobody can say: the table is another program's, cannot be read, or is larger than is worth reading.
    bool is_unknown = false;
    // Entries whose answer permits: how many, and the first few thousand of them.
    std::size_t permitting_count = 0;
    std::vector<PermittingEntry> permitting;
    // Keys of strangers that the table was asked for and permitted: whoever comes.
    std::vector<PermittingEntry> for_everybody;
};

// `spec` is "type:name"; `sample_keys` are what such a table would be asked about strangers. `may_permit` says whether an
// answer lets a stranger pass.
AccessContents read_access_contents(std::string_view spec, const std::vector<std::string>& sample_keys,
                                    const std::function<bool(std::string_view)>& may_permit);

}  // namespace ekiden::check
