// What became of mail, as a value: enhanced status code (RFC 3463) and a text for people. Thread: values.
#pragma once

#include <string>
#include <string_view>

namespace ekiden::mail {

struct Status {
    std::string code;  // "2.0.0", "4.4.1", "5.1.1"
    std::string text;

    bool is_success() const { return code.starts_with('2'); }
    bool is_temporary() const { return code.starts_with('4'); }
    bool is_permanent() const { return code.starts_with('5'); }
};

// "x.y.z" with x in 2,4,5 and y, z of one to three digits: the length of it at the start of `text`, or 0.
std::size_t enhanced_code_length(std::string_view text);

}  // namespace ekiden::mail
