#include "mail/verp.hpp"

#include "mail/address.hpp"

#include <algorithm>

namespace ekiden::mail {

std::string verp_sender(std::string_view delimiters, std::string_view sender, std::string_view recipient)
{
    if (sender.empty() || delimiters.size() != 2) return std::string(sender);
    const auto from = split_address(sender), to = split_address(recipient);
    std::string result(from.local);
    result += delimiters[0];
    result += to.local;
    if (to.has_domain) (result += delimiters[1]) += to.domain;
    if (from.has_domain) (result += '@') += from.domain;
    return result;
}

bool are_verp_delimiters(std::string_view text, std::string_view allowed)
{
    return text.size() == 2 && std::ranges::all_of(text, [&](char c) { return allowed.find(c) != allowed.npos; });
}

}  // namespace ekiden::mail
