// What becomes of 4xx and 5xx replies: smtpd_reject_filter_maps may say something else instead, smtpd_reject_footer or
// smtpd_reject_footer_maps is added. In a footer `\n` begins a new line with
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
    // smtpd_reject_filter_maps come first: their answer takes the reply's place if it is a refusal as well.
    // A table that cannot be asked gives no footer; it has told the log.
    Task<void> add(smtp::Reply& reply, const Facts& facts) const;
    // Pure: `text` added to `reply`.
    void add_text(smtp::Reply& reply, std::string_view text, const Facts& facts, std::time_t now) const;

private:
    bool is_empty_ = true;
    std::string text_, server_name_;
    Task<void> replace(smtp::Reply& reply) const;

    table::Maps maps_, filter_maps_;
    std::set<char> filter_;
    Logger logger_;
};

}  // namespace ekiden::check
