// Cuts a message on standard input into the pieces that postmap -h, -b and -m look up: whole headers, body lines, and
// with MIME the headers of parts. Enough of MIME to test header_checks and body_checks with; nothing is decoded.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tools {

class MessageCutter {
public:
    struct Options {
        bool with_headers = false;
        bool with_body = false;
        bool with_mime = false;
    };
    MessageCutter(Options options, std::function<void(const std::string&)> visit)
        : options_(options), visit_(std::move(visit))
    {
    }

    void line(std::string_view text);  // without its newline
    void finish();

private:
    void end_header();
    void end_headers();
    void body_line(std::string_view text);

    Options options_;
    std::function<void(const std::string&)> visit_;
    std::string header_;
    bool is_in_headers_ = true;
    bool is_multipart_ = false, is_message_ = false;
    std::string boundary_;
    std::vector<std::string> boundaries_;  // innermost last; bounded
};

}  // namespace ekiden::tools
