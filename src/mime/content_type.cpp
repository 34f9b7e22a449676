// The bodies of Content-Type and Content-Transfer-Encoding, read as tolerantly as mail is written.
#include "mime/parts.hpp"

#include "base/text.hpp"

namespace ekiden::mime {

namespace {

// Tokens of RFC 2045 5.1: words, quoted strings, single specials; white space and comments are passed over.
class Tokens {
public:
    explicit Tokens(std::string_view text) : text_(text) {}

    struct Token {
        char special = '\0';     // or the word
        std::string word;
    };
    std::optional<Token> next()
    {
        skip();
        if (at_ == text_.size()) return std::nullopt;
        if (text_[at_] == '"') return Token{'\0', quoted()};
        if (is_special(text_[at_])) return Token{text_[at_++], {}};
        const std::size_t begin = at_;
        while (at_ < text_.size() && !is_special(text_[at_]) && !is_blank(text_[at_]) && text_[at_] != '(' &&
               text_[at_] != '"')
            ++at_;
        return Token{'\0', std::string(text_.substr(begin, at_ - begin))};
    }

private:
    static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
    static bool is_special(char c) { return c == '/' || c == ';' || c == '='; }

    void skip()
    {
        int depth = 0;
        for (; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (c == '(') ++depth;
            else if (c == ')' && depth > 0) --depth;
            else if (c == '\\' && depth > 0 && at_ + 1 < text_.size()) ++at_;
            else if (depth == 0 && !is_blank(c)) return;
        }
    }
    std::string quoted()
    {
        std::string word;
        for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
            if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
            if (text_[at_] != '\n') word += text_[at_];
        }
        if (at_ < text_.size()) ++at_;
        return word;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

struct EncodingRow {
    std::string_view name;
    Encoding encoding;
};
constexpr EncodingRow encodings[] = {
    {"7bit", Encoding::seven_bit}, {"8bit", Encoding::eight_bit}, {"binary", Encoding::binary},
    {"quoted-printable", Encoding::quoted_printable}, {"base64", Encoding::base64},
};

MediaType media_type(std::string_view type, std::string_view subtype)
{
    if (base::equal_ignoring_case(type, "multipart"))
        return base::equal_ignoring_case(subtype, "digest") ? MediaType::digest : MediaType::multipart;
    if (!base::equal_ignoring_case(type, "message")) return MediaType::leaf;
    const bool is_whole = base::equal_ignoring_case(subtype, "rfc822") || base::equal_ignoring_case(subtype, "global");
    return is_whole ? MediaType::message : MediaType::other_message;
}

}  // namespace

ContentType parse_content_type(std::string_view body, std::size_t boundary_limit)
{
    Tokens tokens(body);
    ContentType result;
    const auto type = tokens.next();
    const auto slash = tokens.next();
    const auto subtype = tokens.next();
    if (!type || !slash || slash->special != '/') return result;
    result.type = media_type(type->word, subtype ? subtype->word : std::string());
    if (result.type != MediaType::multipart && result.type != MediaType::digest) return result;
    for (auto token = tokens.next(); token; token = tokens.next()) {
        if (token->special || !base::equal_ignoring_case(token->word, "boundary")) continue;
        const auto equals = tokens.next();
        if (!equals || equals->special != '=') continue;
        // A boundary may hold "/" and "=" without quotes, though it must not.
        auto value = tokens.next();
        for (; value && value->special != ';'; value = tokens.next()) {
            if (value->special) result.boundary += value->special;
            else result.boundary += value->word;
        }
        break;
    }
    if (result.boundary.size() > boundary_limit) result.boundary.resize(boundary_limit);
    return result;
}

Encoding parse_encoding(std::string_view body, std::string* word)
{
    const auto token = Tokens(body).next();
    const std::string text = token ? token->word : std::string();
    if (word) *word = text;
    for (const auto& row : encodings)
        if (base::equal_ignoring_case(row.name, text)) return row.encoding;
    return Encoding::other;
}

}  // namespace ekiden::mime
