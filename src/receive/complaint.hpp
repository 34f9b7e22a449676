// What the postmaster may want to hear of a conversation (notify_classes): the kinds of trouble met, and the transcript.
// Both are gathered while the session runs; who writes the letter is Service::complain's affair.
//
// Bounds: a transcript that grows past max_transcript is cut. Thread: values of one session.
#pragma once

#include "check/policy.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::receive {

// The words of notify_classes that concern a server; those of deliveries (2bounce, delay) have no bit here.
enum TroubleClass : std::uint8_t {
    trouble_bounce = 1,      // mail refused that would else have bounced
    trouble_policy = 2,
    trouble_protocol = 4,
    trouble_resource = 8,
    trouble_software = 16,
    trouble_data = 32,
};
std::uint8_t trouble_classes(const std::vector<std::string>& words);
TroubleClass trouble_of(check::Verdict::Fault fault);

class Transcript {
public:
    static constexpr std::size_t max_transcript = std::size_t{32} << 10;

    void heard(std::string_view line) { add("In:  ", line); }
    void said(std::string_view reply);      // one reply or more, as sent
    // Between two messages: what is longer than smtpd_history_flush_threshold lines is forgotten.
    void forget_beyond(std::size_t lines)
    {
        if (lines_ > lines) clear();
    }
    const std::string& text() const { return text_; }   // lines, "In:  QUIT\n"

private:
    void add(std::string_view who, std::string_view line);
    void clear();
    std::string text_;
    std::size_t lines_ = 0;
};

struct Complaint {
    std::string client;         // "name[address]"
    std::string transcript;     // lines as Transcript has them
    std::string reason;         // "timeout", "lost connection"; empty: the session ended in order
    bool is_bounce = false;     // for bounce_notice_recipient, else error_notice_recipient
};

}  // namespace ekiden::receive
