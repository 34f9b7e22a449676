#include "tools/postdrop_sender.hpp"

#include "base/fold.hpp"
#include "base/text.hpp"
#include "mail/address.hpp"
#include "table/maps.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <pwd.h>

namespace ekiden::tools {

bool is_allowed_sender(const SenderPatterns& allowed, std::string_view sender)
{
    const mail::AddressParts parts = mail::split_address(sender);
    const std::string user(mail::split_extension(parts.local, allowed.delimiters, allowed.has_owners).first);
    const bool has_domain = sender.size() > parts.local.size();
    const std::string domain = has_domain ? base::fold_case("@" + std::string(parts.domain)) : std::string();
    const std::string whole = base::fold_case(user) + domain;
    return std::ranges::any_of(base::split_any(allowed.patterns), [&](std::string_view pattern) {
        if (pattern == "*") return true;
        if (sender.empty()) return pattern == allowed.empty_word;
        const std::string wanted = base::fold_case(pattern);
        return pattern.starts_with('@') ? has_domain && wanted == domain : wanted == whole;
    });
}

std::string find_sender_problem(const config::Settings& settings, uid_t uid, std::string_view sender)
{
    constexpr auto parameter = "local_login_sender_maps";
    const std::string value = settings.str(parameter);
    if (value == "static:*") return {};
    const passwd* user = ::getpwuid(uid);
    const auto answer = table::Maps::open(parameter, value).find_now(user ? user->pw_name : fmt::format("uid:{}", uid));
    if (!answer) return fmt::format("{} table lookup error for '{}'", parameter, value);
    const std::string empty_word = settings.str("empty_address_local_login_sender_maps_lookup_key"),
                      delimiters = settings.str("recipient_delimiter");
    const SenderPatterns allowed{*answer ? std::string_view(**answer) : std::string_view(), empty_word, delimiters,
                                 settings.boolean("owner_request_special")};
    if (is_allowed_sender(allowed, sender)) return {};
    return fmt::format("not authorized to use sender='{}'", sender);
}

}  // namespace ekiden::tools
