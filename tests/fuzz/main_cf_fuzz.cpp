// link: config
// main.cf from untrusted hands: parse, expand every value with the others, list names. Nothing may crash, hang or grow
// without bound; refusals are ConfigError and ExpandError.
#include "config/expand.hpp"
#include "config/main_cf.hpp"
#include "config/values.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace ekiden::config;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        const auto file = parse_main_cf(text, "main.cf");
        std::map<std::string, std::string, std::less<>> values;
        for (const auto& entry : file.entries) values[entry.name] = entry.value;
        const NameLookup lookup = [&](std::string_view name) -> std::optional<std::string_view> {
            const auto found = values.find(name);
            return found == values.end() ? std::nullopt : std::optional<std::string_view>(found->second);
        };
        const ExpandLimits limits{.depth = 100, .steps = 2000, .size = 65536};
        for (const auto& [name, value] : values) {
            for_each_name(value, [](std::string_view mention) {
                if (mention.empty()) std::abort();
            });
            (void)parse_time(value);
            (void)parse_integer(value);
            (void)split_list(value);
            (void)parse_compatibility_level(value);
            try {
                if (expand(value, lookup, limits).size() > limits.size) std::abort();
            } catch (const ExpandError&) {
            }
        }
    } catch (const ConfigError&) {
    }
    return 0;
}
