#include "mime/quoted_printable.hpp"

#include <utility>

namespace ekiden::mime {

namespace {

// Postfix's width: a line has room for one more encoded character and the "=" of a soft break.
constexpr std::size_t break_at = 73;
constexpr std::string_view digits = "0123456789ABCDEF";

}  // namespace

void QuotedPrintable::make_room(std::string& out)
{
    if (column_ < break_at) return;
    out += "=\n";
    column_ = 0;
}

void QuotedPrintable::put(char c, std::string& out)
{
    make_room(out);
    out += c;
    ++column_;
}

void QuotedPrintable::put_encoded(char c, std::string& out)
{
    make_room(out);
    const auto byte = static_cast<unsigned char>(c);
    out += '=';
    out += digits[byte >> 4];
    out += digits[byte & 15];
    column_ += 3;
}

void QuotedPrintable::encode(std::string_view text, std::string& out)
{
    for (const char c : text) {
        if (c == '\n') {
            if (held_) put_encoded(std::exchange(held_, '\0'), out);
            out += '\n';
            column_ = 0;
            continue;
        }
        if (held_) put(std::exchange(held_, '\0'), out);
        if (c == ' ' || c == '\t') held_ = c;
        else if (c > ' ' && c < 127 && c != '=') put(c, out);
        else put_encoded(c, out);
    }
}

void QuotedPrintable::finish(std::string& out)
{
    if (held_) put_encoded(std::exchange(held_, '\0'), out);
    column_ = 0;
}

}  // namespace ekiden::mime
