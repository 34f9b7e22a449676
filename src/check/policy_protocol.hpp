// The words of the policy delegation protocol (SMTPD_POLICY_README): a request is name=value lines and an empty line,
// the reply the same with one action=… in it. Pure and bounded: nothing that a client said can add an attribute to a
// request, nothing that a server says can grow beyond the limits below or carry control characters into a reply, a log
// line or a header.
#pragma once

#include "check/restriction.hpp"

namespace ekiden::check {

// Every attribute of Postfix 3.11, in its order. The names of a client certificate are sent only when it was verified,
// in xtext (RFC 3461 4).
std::string format_policy_request(const Evaluation&, std::string_view policy_context);

// "inet:host:port", "unix:path", or "{ inet:host:port, timeout=10s, … }".
Result<PolicyServer> parse_policy_server(std::string_view argument, const PolicyServer& defaults);

// One reply, fed line by line. Errors are ErrorCode::protocol and spoil the connection.
class PolicyReply {
public:
    static constexpr std::size_t longest_line = 4096;   // bytes
    static constexpr int most_lines = 100;

    // A line without its end. True when the reply is complete.
    Result<bool> feed(std::string_view line, bool is_cut = false);
    bool has_action() const { return has_action_; }
    // What to do, ready for apply_action(): control characters are blanks now. Postfix takes the first of several.
    std::string take_action() { return std::move(action_); }

private:
    std::string action_;
    int lines_ = 0;
    bool has_action_ = false;
};

}  // namespace ekiden::check
