// Which parameters hold tables or restrictions, by name. Thread: any.
#pragma once

#include "config/settings.hpp"

#include <set>
#include <string>
#include <string_view>

namespace ekiden::check {

class ListWords {
public:
    explicit ListWords(const config::Settings& settings);

    // smtpd_*_restrictions, and the restriction classes of these settings.
    bool is_restriction_list(std::string_view parameter) const;
    // Those, and what proxy_read_maps names.
    bool may_hold_tables(std::string_view parameter) const;

private:
    std::set<std::string, std::less<>> holders_, classes_;
};

}  // namespace ekiden::check
