#include "mail/tokens.hpp"

#include "base/text.hpp"

#include <array>

namespace ekiden::mail {
namespace {

constexpr auto ends_atom = [] {
    std::array<bool, 256> table{};
    for (int c = 0; c <= ' '; ++c) table[static_cast<std::size_t>(c)] = true;
    table[127] = true;
    for (char c : std::string_view("()<>@,;:\".[]")) table[static_cast<unsigned char>(c)] = true;
    return table;
}();

bool is_blank(char c) { return static_cast<unsigned char>(c) <= ' ' || c == 127; }

// Behind the closing character, or the end of the text. `text[at]` is the opening one.
std::size_t end_of_quoted(std::string_view text, std::size_t at, char close)
{
    for (++at; at < text.size(); ++at) {
        if (text[at] == '\\') ++at;
        else if (text[at] == close) return at + 1;
    }
    return text.size();
}

std::size_t end_of_comment(std::string_view text, std::size_t at)
{
    std::size_t depth = 0;
    for (; at < text.size(); ++at) {
        if (text[at] == '\\') ++at;
        else if (text[at] == '(') ++depth;
        else if (text[at] == ')' && --depth == 0) return at + 1;
    }
    return text.size();
}

}  // namespace

bool Lexer::next(Token& token)
{
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    if (at_ >= text_.size()) return false;

    const std::size_t start = at_;
    switch (text_[at_]) {
    case '"':
        token.kind = Token::Kind::quoted;
        at_ = end_of_quoted(text_, at_, '"');
        break;
    case '[':
        token.kind = Token::Kind::literal;
        at_ = end_of_quoted(text_, at_, ']');
        break;
    case '(':
        token.kind = Token::Kind::comment;
        at_ = end_of_comment(text_, at_);
        break;
    default:
        if (ends_atom[static_cast<unsigned char>(text_[at_])]) {
            token.kind = Token::Kind::special;
            ++at_;
            break;
        }
        token.kind = Token::Kind::atom;
        while (at_ < text_.size() && !ends_atom[static_cast<unsigned char>(text_[at_])])
            at_ += text_[at_] == '\\' && at_ + 1 < text_.size() ? 2 : 1;
    }
    token.position = start;
    token.raw = text_.substr(start, at_ - start);
    return true;
}

void append_internal(std::string& out, const Token& token)
{
    std::string_view raw = token.raw;
    if (token.kind == Token::Kind::comment) return;
    if (token.kind == Token::Kind::quoted) {
        raw.remove_prefix(1);
        // An unterminated string has no closing quote, and one that is escaped does not close.
        std::size_t backslashes = 0;
        while (raw.size() >= 2 + backslashes && raw[raw.size() - 2 - backslashes] == '\\') ++backslashes;
        if (raw.ends_with('"') && backslashes % 2 == 0) raw.remove_suffix(1);
    } else if (token.kind != Token::Kind::atom) {
        out += raw;
        return;
    }
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] == '\\' && i + 1 < raw.size()) ++i;
        out += raw[i];
    }
}

}  // namespace ekiden::mail
