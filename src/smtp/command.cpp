#include "smtp/command.hpp"

#include "base/text.hpp"

namespace ekiden::smtp {

namespace {

std::size_t skip_quoted(std::string_view text, std::size_t at)
{
    for (++at; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\') ++at;
    }
    return at;   // the closing quote, or beyond the end
}

}  // namespace

Command parse_command(std::string_view line)
{
    Command command;
    command.line = base::trim(line);
    std::size_t at = 0;
    while (at < command.line.size() && !base::is_space(command.line[at])) ++at;
    command.verb = command.line.substr(0, at);
    while (at < command.line.size() && base::is_space(command.line[at])) ++at;
    command.arguments = command.line.substr(at);
    return command;
}

std::string_view next_word(std::string_view& text)
{
    while (!text.empty() && base::is_space(text.front())) text.remove_prefix(1);
    std::size_t at = 0;
    bool in_angle = false, in_bracket = false;
    for (; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '"') at = skip_quoted(text, at);
        else if (c == '\\') ++at;
        else if (in_angle) in_angle = c != '>';
        else if (in_bracket) in_bracket = c != ']';
        else if (c == '<') in_angle = true;
        else if (c == '[') in_bracket = true;
        else if (base::is_space(c)) break;
    }
    at = std::min(at, text.size());
    const std::string_view word = text.substr(0, at);
    text.remove_prefix(at);
    return word;
}

std::size_t count_words(std::string_view text, std::size_t limit)
{
    std::size_t count = 0;
    while (count < limit && !next_word(text).empty()) ++count;
    return count;
}

bool looks_like_header(std::string_view line)
{
    for (std::size_t at = 0; at < line.size(); ++at) {
        if (line[at] == ':') return at > 0;
        if (!base::is_print(line[at]) || line[at] == ' ') return false;
    }
    return false;
}

bool parse_chunk_header(std::string_view arguments, ChunkHeader& out)
{
    const auto size = base::parse_number<std::uint64_t>(next_word(arguments));
    if (!size || *size > static_cast<std::uint64_t>(INT64_MAX)) return false;
    const auto last = next_word(arguments);
    if (!last.empty() && !base::equal_ignoring_case(last, "LAST")) return false;
    if (!next_word(arguments).empty()) return false;
    out = {*size, !last.empty()};
    return true;
}

}  // namespace ekiden::smtp
