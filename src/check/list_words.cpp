#include "check/list_words.hpp"

#include "base/text.hpp"
#include "config/parameters.hpp"

namespace ekiden::check {

ListWords::ListWords(const config::Settings& settings)
{
    if (const auto* all = config::find_parameter("proxy_read_maps")) {
        for (const std::string_view name : base::split_any(all->default_value)) {
            if (name.starts_with('$')) holders_.emplace(name.substr(1));
        }
    }
    // What the proxy must not read, or is not asked for, and still is a list of tables.
    for (const char* name :
         {"alias_database", "relay_clientcerts", "mynetworks", "permit_mx_backup_networks", "smtp_sasl_password_maps",
          "lmtp_sasl_password_maps", "header_checks", "mime_header_checks", "nested_header_checks", "body_checks",
          "milter_header_checks", "smtp_header_checks", "smtp_mime_header_checks", "smtp_nested_header_checks",
          "smtp_body_checks", "smtpd_command_filter", "smtpd_dns_reply_filter", "smtp_dns_reply_filter",
          "smtp_reply_filter"})
        holders_.emplace(name);
    for (const std::string& name : settings.list("smtpd_restriction_classes")) classes_.insert(name);
}

bool ListWords::is_restriction_list(std::string_view parameter) const
{
    return classes_.contains(parameter) || (parameter.starts_with("smtpd_") && parameter.ends_with("_restrictions"));
}

bool ListWords::may_hold_tables(std::string_view parameter) const
{
    return is_restriction_list(parameter) || holders_.contains(parameter);
}

}  // namespace ekiden::check
