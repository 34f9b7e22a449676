// What went wrong, on what, and in which words: the error half of base::Result.
//
// An Error is made where trouble is met (`Error::from_errno("open", path)`), gains context once per layer
// (`.with("load sender map")`) and is printed once, at the place that decides. Codes are coarse on purpose: a caller
// acts on closed, timeout, no_space…, everything else is text for a person. Thread: values, any thread.
#pragma once

#include <string>
#include <string_view>

namespace ekiden::base {

enum class ErrorCode {
    system,       // an errno that needs no special treatment; see os_error()
    closed,       // the peer closed the connection: often not a fault
    timeout,      // a deadline passed
    cancelled,    // we stopped the work ourselves
    too_long,     // a bound on untrusted input was reached
    syntax,       // input does not follow its grammar
    not_found,    // a thing that must exist does not (a file, a service; never a table's "no such key")
    unavailable,  // try later: a helper, table or server does not answer
    permission,
    no_space,
    corrupt,      // stored bytes fail their check
    refused,      // we will not do that (wrong state, not allowed)
    protocol,     // the other side broke the protocol
};

class [[nodiscard]] Error {
public:
    Error(ErrorCode code, std::string text) : code_(code), text_(std::move(text)) {}

    // `what on: strerror(error)`; ENOSPC/EDQUOT, EACCES/EPERM and ENOENT get their own codes.
    static Error from_errno(int error, std::string_view what, std::string_view on = {});
    static Error from_errno(std::string_view what, std::string_view on = {});  // uses errno

    ErrorCode code() const { return code_; }
    int os_error() const { return os_error_; }  // errno, or 0
    bool is(ErrorCode code) const { return code_ == code; }

    // Puts "context: " in front; called once per layer that has something to add.
    Error with(std::string_view context) &&;

    const std::string& text() const { return text_; }

private:
    ErrorCode code_;
    int os_error_ = 0;
    std::string text_;
};

}  // namespace ekiden::base

namespace ekiden {
using base::Error;
using base::ErrorCode;
}  // namespace ekiden
