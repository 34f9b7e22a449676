// Upper and lower case taken away, also outside ASCII, as names and table keys with UTF-8 need it ("BÜCHER.test" and
// "bücher.test" are one domain). One character becomes one: no "ß" to "ss". What is no UTF-8 keeps its bytes but for
// ASCII letters. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace ekiden::base {

std::string fold_case(std::string_view text);

}  // namespace ekiden::base
