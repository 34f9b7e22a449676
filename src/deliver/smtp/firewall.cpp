#include "deliver/smtp/firewall.hpp"

#include "base/text.hpp"

namespace ekiden::deliver::smtp {

namespace {

struct Name {
    std::string_view name;
    bool Workarounds::*flag;
};
constexpr Name names[] = {{"disable_esmtp", &Workarounds::says_helo}, {"delay_dotcrlf", &Workarounds::delays_dot}};

}  // namespace

Workarounds parse_workarounds(std::string_view text)
{
    Workarounds found;
    for (const std::string_view word : base::split_any(text)) {
        for (const Name& row : names)
            if (base::equal_ignoring_case(word, row.name)) found.*row.flag = true;
    }
    return found;
}

std::string text_of(const Workarounds& workarounds)
{
    std::string text;
    for (const Name& row : names)
        if (workarounds.*row.flag) text.append(text.empty() ? "" : " ").append(row.name);
    return text;
}

bool hides_greeting(const ekiden::smtp::Reply& greeting)
{
    const bool has_such_code = greeting.code == 200 || greeting.code == 202 || greeting.code == 220;
    return has_such_code && greeting.enhanced.empty() && greeting.lines.size() == 1 &&
           greeting.lines.front().find_first_not_of(" *02") == std::string::npos;
}

}  // namespace ekiden::deliver::smtp
