// Letters to the postmaster about a conversation that went wrong (notify_classes): who it was, and the transcript.
// Immutable; any core.
#pragma once

#include "config/settings.hpp"
#include "rewrite/intake.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace ekiden::report {

class Postmaster {
public:
    // `settings` is the server's own snapshot.
    static std::shared_ptr<const Postmaster> make(config::SettingsPtr settings,
                                                  std::shared_ptr<const rewrite::Intake> intake);

    struct Report {
        std::string client;        // "name[address]"
        std::string transcript;    // lines, "In:  QUIT\n"
        std::string reason;        // why the session was aborted, or empty
        bool is_bounce = false;    // for bounce_notice_recipient, else error_notice_recipient
    };
    // Queued when the Task returns; a letter that cannot be queued is given up with a warning, as the log has the facts.
    Task<void> tell_of_session(Report report) const;

    struct Data;
    explicit Postmaster(std::shared_ptr<const Data> data) : data_(std::move(data)) {}

private:
    std::shared_ptr<const Data> data_;
};

// The letter's header and text. Pure.
std::string format_session_letter(const Postmaster::Report& report, std::string_view from, std::string_view to,
                                  std::string_view date, std::string_view mail_name);

}  // namespace ekiden::report
