// Macros: what a milter is told beside the events, "{mail_addr}" and the like. Which ones go with which stage is said
// by the settings (milter_*_macros) or by the milter itself (SETSYMLIST); what they are worth is asked of whoever
// knows.
//
// Pure. Names are written as settings and the wire have them: "j", "i", "{mail_addr}". Bounds: a milter may ask for
// `most_names` a stage, of `longest_name` bytes.
#pragma once

#include "milter/packet.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ekiden::milter {

// The first seven are numbered as SETSYMLIST numbers them.
enum class Stage : std::uint8_t { connect, helo, mail, rcpt, data, end_of_message, end_of_header, unknown };
inline constexpr std::size_t stage_count = 8, negotiable_stages = 7;

struct MacroNames {
    static constexpr std::size_t most_names = 200, longest_name = 256;
    std::array<std::vector<std::string>, stage_count> of;

    const std::vector<std::string>& at(Stage stage) const { return of[static_cast<std::size_t>(stage)]; }
    // "j {daemon_name}, v": names between blanks and commas. Names of one letter and names in braces are the same with
    // and without them.
    static std::vector<std::string> parse(std::string_view list);
};

// Who knows what a macro is worth. Nothing: it is not said at all.
class MacroValues {
public:
    virtual ~MacroValues() = default;
    virtual std::optional<std::string> value(std::string_view name) const = 0; // without braces
};

// name=value pairs for macros that are not known otherwise (milter_macro_defaults).
using MacroDefaults = std::vector<std::pair<std::string, std::string>>;

// The packet that announces the macros of `command`.
void append_macros(std::string& out, Command command, const std::vector<std::string>& names, const MacroValues& values,
                   const MacroDefaults& defaults);

} // namespace ekiden::milter
