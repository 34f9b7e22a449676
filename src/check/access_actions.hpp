// What an access table or a policy server may answer (access(5), ACCEPT, REJECT and OTHER ACTIONS): read here, carried
// out by apply_action() (rules.hpp). Pure; views point into the value.
#pragma once

#include "check/restriction.hpp"

#include <string_view>
#include <vector>

namespace ekiden::check {

struct ParsedAction {
    enum class Kind : std::uint8_t {
        action,         // OK, REJECT, DEFER_IF_PERMIT, …; `number` is its row
        number,         // nothing but digits: written by authentication tools of old, means OK
        reply,          // 4NN or 5NN text; `number` is the code
        table,          // names a table, which only main.cf may do
        restrictions    // names restrictions or classes
    } kind = Kind::restrictions;
    int number = 0;
    std::string_view whole;         // trimmed
    std::string_view word, text;    // the first word, and what follows it
};
ParsedAction parse_access_action(std::string_view value);

// Why a known action will not be carried out with this text, in the words of the run time ("requires user@domain
// target"), or "".
std::string_view flaw_of_text(const ParsedAction& parsed);
// OK, REJECT, …
std::vector<std::string_view> action_words();

}  // namespace ekiden::check
