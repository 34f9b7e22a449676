#include "table/entry_grammar.hpp"

#include "base/text.hpp"

#include <vector>

namespace ekiden::table {

namespace {

struct Token {
    enum class Kind { word, quoted, comment, literal, special } kind;
    std::string text;  // quoted and word: without quotes and backslashes
};

constexpr std::string_view specials = "<>@,;:.";

bool is_word_like(const Token& token) { return token.kind != Token::Kind::special; }

// Copies until the closing character, taking backslashes off; a text that ends before it is closed by its end.
std::string take_quoted(std::string_view text, std::size_t& at)
{
    std::string taken;
    for (++at; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\' && at + 1 < text.size()) ++at;
        taken += text[at];
    }
    if (at < text.size()) ++at;
    return taken;
}

// "(…)" and "[…]" are kept as written; comments nest (the depth is only a counter, so depth costs nothing).
std::string take_group(std::string_view text, std::size_t& at, char open, char close)
{
    std::string taken;
    int depth = 0;
    for (; at < text.size(); ++at) {
        const char c = text[at];
        taken += c;
        if (c == '\\' && at + 1 < text.size()) {
            taken += text[++at];
        } else if (c == open) {
            ++depth;
        } else if (c == close && --depth == 0) {
            ++at;
            break;
        }
    }
    return taken;
}

std::vector<Token> tokenize(std::string_view text)
{
    std::vector<Token> tokens;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (base::is_space(c)) {
            ++at;
        } else if (c == '"') {
            tokens.push_back({Token::Kind::quoted, take_quoted(text, at)});
        } else if (c == '(') {
            tokens.push_back({Token::Kind::comment, take_group(text, at, '(', ')')});
        } else if (c == '[') {
            tokens.push_back({Token::Kind::literal, take_group(text, at, '[', ']')});
        } else if (specials.contains(c)) {
            tokens.push_back({Token::Kind::special, std::string(1, c)});
            ++at;
        } else {
            Token token{Token::Kind::word, {}};
            for (; at < text.size(); ++at) {
                const char here = text[at];
                if (here == '\\' && at + 1 < text.size()) {
                    token.kind = Token::Kind::quoted;  // only quotes can say this again
                    token.text += text[++at];
                    continue;
                }
                if (base::is_space(here) || here == '"' || here == '(' || here == '[' || specials.contains(here)) break;
                token.text += here;
            }
            tokens.push_back(std::move(token));
        }
    }
    return tokens;
}

void append_quoted(std::string& out, std::string_view text)
{
    out += '"';
    for (char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    out += '"';
}

std::string print_value(const std::vector<Token>& tokens, std::size_t from, std::size_t to)
{
    std::string out;
    for (std::size_t i = from; i < to; ++i) {
        const Token& token = tokens[i];
        if (i > from) {
            const Token& before = tokens[i - 1];
            const bool opens_group = token.kind == Token::Kind::special && token.text == "<";
            const bool is_command = before.kind == Token::Kind::word && before.text == "|";   // |"/bin/x y"
            const bool has_gap = before.kind == Token::Kind::special
                                     ? before.text == ","
                                     : (is_word_like(token) || opens_group) && !is_command;
            if (has_gap) out += ' ';
        }
        if (token.kind == Token::Kind::quoted) {
            append_quoted(out, token.text);
        } else {
            out += token.text;
        }
    }
    return out;
}

}  // namespace

std::expected<Entry, std::string> parse_map_entry(std::string_view line)
{
    line = base::trim_right(line);
    bool is_quoted = false;
    std::size_t end = 0;
    for (; end < line.size(); ++end) {
        const char c = line[end];
        if (c == '\\' && end + 1 < line.size()) {
            ++end;
        } else if (c == '"') {
            is_quoted = !is_quoted;
        } else if (!is_quoted && base::is_space(c)) {
            break;
        }
    }
    if (is_quoted) return std::unexpected("unbalanced '\"' in '" + std::string(line) + "' -- ignoring this line");
    Entry entry;
    entry.key = line.substr(0, end);
    entry.value = base::trim(line.substr(end));
    if (entry.key.empty() || entry.value.empty())
        return std::unexpected(std::string("expected format: key whitespace value"));
    if (entry.key.ends_with(':')) entry.remark = "record is in \"key: value\" format; is this an alias file?";
    return entry;
}

std::expected<Entry, std::string> parse_alias_entry(std::string_view line)
{
    const auto tokens = tokenize(line);
    std::size_t colon = 0;
    while (colon < tokens.size() && !(tokens[colon].kind == Token::Kind::special && tokens[colon].text == ":")) ++colon;
    if (colon == 0 || colon + 1 >= tokens.size()) return std::unexpected(std::string("need name:value pair"));
    Entry entry;
    for (std::size_t i = 0; i < colon; ++i) {
        const Token& token = tokens[i];
        if (token.kind == Token::Kind::special && token.text == ",") {
            return std::unexpected(std::string("need name:value pair"));
        }
        if (token.kind == Token::Kind::special && token.text == "@")
            return std::unexpected(std::string("name must be local"));
        if (i > 0 && is_word_like(token) && is_word_like(tokens[i - 1])) entry.key += ' ';
        entry.key += token.text;
    }
    entry.value = print_value(tokens, colon + 1, tokens.size());
    while (entry.value.ends_with(',') || entry.value.ends_with(' ')) entry.value.pop_back();
    if (entry.key.empty() || entry.value.empty()) return std::unexpected(std::string("need name:value pair"));
    return entry;
}

}  // namespace ekiden::table
