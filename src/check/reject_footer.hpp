// smtpd_reject_footer and smtpd_reject_footer_maps: what is added to every 4xx and 5xx reply. `\n` begins a new line with
// the code in front, `\c` at the start goes on in the reply's last line; $client_address, $client_port, $localtime and
// $server_name are filled in. The log never shows it. Immutable, any core.
#pragma once

#include "base/log.hpp"
#include "check/facts.hpp"
#include "config/settings.hpp"
#include "net/task.hpp"
#include "smtp/reply.hpp"
#include "table/maps.hpp"

#include <ctime>
#include <set>

namespace ekiden::check {

class RejectFooter {
public:
    RejectFooter() = default;
    static RejectFooter make(const config::Settings& settings, Logger logger);

    bool is_wanted(const smtp::Reply& reply) const { return !is_empty_ && reply.code >= 400 && reply.code < 600; }
    // A table that cannot be asked gives no footer; it has told the log.
    Task<void> add(smtp::Reply& reply, const Facts& facts) const;
    // Pure: `text` added to `reply`.
    void add_text(smtp::Reply& reply, std::string_view text, const Facts& facts, std::time_t now) const;

private:
    bool is_empty_ = true;
    std::string text_, server_name_;
    table::Maps maps_;
    std::set<char> filter_;
    Logger logger_;
};

}  // namespace ekiden::check
