#include "rewrite/completion.hpp"

#include "mail/address.hpp"

namespace ekiden::rewrite {

Completion Completion::from(const config::Settings& settings)
{
    return {
        .append_at_myorigin = settings.boolean("append_at_myorigin"),
        .append_dot_mydomain = settings.boolean("append_dot_mydomain"),
        .swap_bangpath = settings.boolean("swap_bangpath"),
        .allow_percent_hack = settings.boolean("allow_percent_hack"),
        .origin = settings.str("myorigin"),
        .mydomain = settings.str("mydomain"),
        .remote_domain = settings.str("remote_header_rewrite_domain"),
    };
}

std::string Completion::turn_round(std::string_view local) const
{
    if (local.find_first_of("!%") == local.npos || mail::needs_quotes(local)) return {};
    if (swap_bangpath) {
        if (const auto bang = local.find('!'); bang != local.npos)
            return std::string(local.substr(bang + 1)).append("@").append(local.substr(0, bang));
    }
    if (allow_percent_hack) {
        if (const auto percent = local.rfind('%'); percent != local.npos)
            return std::string(local.substr(0, percent)).append("@").append(local.substr(percent + 1));
    }
    return {};
}

bool Completion::is_complete(std::string_view address, std::string_view context) const
{
    if (address.empty() || (context != "local" && remote_domain.empty())) return true;
    if (address.front() == '@') return false;   // perhaps a source route
    const auto [local, domain, has_domain] = mail::split_address(address);
    return has_domain && !domain.empty() && domain.back() != '.'
        && (!append_dot_mydomain || domain.find('.') != domain.npos || domain.front() == '[');
}

std::string Completion::complete(std::string_view address, std::string_view context) const
{
    if (is_complete(address, context)) return std::string(address);
    const bool is_local = context == "local";

    if (address.front() == '@') {   // "@hosta,@hostb:user@site"
        if (const auto colon = address.find(':'); colon != address.npos) address.remove_prefix(colon + 1);
    }
    std::string whole(address);
    if (whole.find('@') == whole.npos) {
        if (auto turned = turn_round(whole); !turned.empty()) whole = std::move(turned);
        else if (append_at_myorigin && !whole.empty()) whole.append("@").append(is_local ? origin : remote_domain);
    }
    if (const auto at = whole.rfind('@'); at != whole.npos) {
        if (whole.size() > at + 2 && whole.back() == '.') whole.pop_back();
        const auto domain = std::string_view(whole).substr(at + 1);
        if (append_dot_mydomain && !domain.empty() && domain.find('.') == domain.npos && domain.front() != '[')
            whole.append(".").append(is_local ? mydomain : remote_domain);
    }
    return whole;
}

}  // namespace ekiden::rewrite
