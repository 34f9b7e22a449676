// link: table
// Source files of postmap and postalias: whatever they hold, entries have a key and a value, and a printed alias value
// reads back as itself.
#include "table/entry_grammar.hpp"
#include "table/openers.hpp"

#include "base/log_sinks.hpp"

#include <cstdint>
#include <cstdlib>

using namespace ekiden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const bool is_silent = (base::use_sink(base::function_sink([](auto, auto, auto) {})), true);
    (void)is_silent;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    table::SourceLines lines(text, "fuzz", [](const std::string&) {});
    for (table::SourceLines::Line line; lines.next(line);) {
        if (const auto entry = table::parse_map_entry(line.text)) {
            if (entry->key.empty() || entry->value.empty()) std::abort();
        }
        if (const auto entry = table::parse_alias_entry(line.text)) {
            if (entry->key.empty() || entry->value.empty()) std::abort();
            const auto again = table::parse_alias_entry("name:" + entry->value);
            if (!again || again->value != entry->value) std::abort();
        }
    }
    const table::OpenOptions options;
    const table::OpenRequest request{"texthash:fuzz", "texthash", "fuzz", options};
    if (auto parsed = table::parse_texthash(request, text, {})) (void)(*parsed)->lookup("key");
    return 0;
}
