#include "mail/status.hpp"

#include "base/text.hpp"

namespace ekiden::mail {
namespace {

// Digits at `at`, at most three; 0 when there is none or there are more.
std::size_t digits_at(std::string_view text, std::size_t at)
{
    std::size_t count = 0;
    while (at + count < text.size() && base::is_digit(text[at + count])) ++count;
    return count <= 3 ? count : 0;
}

}  // namespace

std::size_t enhanced_code_length(std::string_view text)
{
    if (text.size() < 5 || (text[0] != '2' && text[0] != '4' && text[0] != '5') || text[1] != '.') return 0;
    const std::size_t subject = digits_at(text, 2);
    if (subject == 0 || 2 + subject >= text.size() || text[2 + subject] != '.') return 0;
    const std::size_t detail = digits_at(text, 3 + subject);
    if (detail == 0) return 0;
    const std::size_t length = 3 + subject + detail;
    return length == text.size() || base::is_space(text[length]) ? length : 0;
}

}  // namespace ekiden::mail
