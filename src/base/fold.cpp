#include "base/fold.hpp"

#include "base/text.hpp"

#include <locale.h>
#include <wctype.h>

namespace ekiden::base {

namespace {

void append_utf8(std::string& out, char32_t c)
{
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xc0 | c >> 6);
        out += static_cast<char>(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xe0 | c >> 12);
        out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
        out += static_cast<char>(0x80 | (c & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | c >> 18);
        out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
        out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
        out += static_cast<char>(0x80 | (c & 0x3f));
    }
}

// The text is valid UTF-8.
char32_t take_character(std::string_view text, std::size_t& at)
{
    const auto lead = static_cast<unsigned char>(text[at++]);
    if (lead < 0x80) return lead;
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    char32_t c = lead & (0x3f >> more);
    for (int i = 0; i < more; ++i) c = c << 6 | (static_cast<unsigned char>(text[at++]) & 0x3f);
    return c;
}

// Part of the C library itself since glibc 2.35, so there without any package of locales.
locale_t characters()
{
    static const locale_t all = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return all;
}

}  // namespace

std::string fold_case(std::string_view text)
{
    if (is_ascii(text) || !is_valid_utf8(text) || !characters()) return lower(text);
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const char32_t c = take_character(text, at);
        append_utf8(out, static_cast<char32_t>(::towlower_l(static_cast<wint_t>(c), characters())));
    }
    return out;
}

}  // namespace ekiden::base
