// The words of RFC 5322 structured text: what stands in address headers, in paths and on sendmail's command line.
//
// The lexer never fails: an unterminated quote, comment or literal ends with the text. Every byte belongs to exactly one
// token or to the white space between tokens. Views into the text given. Thread: values.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ekiden::mail {

struct Token {
    enum class Kind {
        atom,      // may hold backslash pairs and bytes above 127
        quoted,    // "…", quotes included
        literal,   // […], brackets included
        comment,   // (…), nested ones included
        special,   // one of < > @ , ; : . ) ]
    };
    Kind kind = Kind::special;
    std::string_view raw;
    std::size_t position = 0;   // of raw in the text

    bool is(char c) const { return kind == Kind::special && raw.front() == c; }
    bool is_word() const { return kind == Kind::atom || kind == Kind::quoted || kind == Kind::literal; }
};

class Lexer {
public:
    explicit Lexer(std::string_view text) : text_(text) {}
    bool next(Token& token);

private:
    std::string_view text_;
    std::size_t at_ = 0;
};

// Adds the token in internal form: quotes and escapes undone.
void append_internal(std::string& out, const Token& token);

}  // namespace ekiden::mail
