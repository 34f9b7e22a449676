#include "milter/macros.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace ekiden::milter {
namespace {

std::string_view without_braces(std::string_view name)
{
    return name.size() > 2 && name.starts_with('{') && name.ends_with('}') ? name.substr(1, name.size() - 2) : name;
}

} // namespace

std::vector<std::string> MacroNames::parse(std::string_view list)
{
    std::vector<std::string> names;
    for (const std::string_view word : base::split_any(list, ", \t\r\n")) {
        if (names.size() == most_names) break;
        if (word.size() <= longest_name) names.emplace_back(word);
    }
    return names;
}

void append_macros(std::string& out, Command command, const std::vector<std::string>& names, const MacroValues& values,
                   const MacroDefaults& defaults)
{
    PacketWriter packet(out, Command::macros);
    packet.letter(static_cast<char>(command));
    for (const std::string& name : names) {
        const std::string_view bare = without_braces(name);
        std::optional<std::string> value = values.value(bare);
        if (!value) {
            const auto found =
                std::ranges::find_if(defaults, [&](const auto& row) { return without_braces(row.first) == bare; });
            if (found != defaults.end()) value = found->second;
        }
        if (value) packet.text(name).text(*value);
    }
}

} // namespace ekiden::milter
