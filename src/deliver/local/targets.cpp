#include "deliver/local/targets.hpp"

#include "base/text.hpp"
#include "mime/addresses.hpp"

namespace ekiden::deliver {

namespace {

constexpr std::string_view include_word = ":include:";

// |"command with blanks": what is inside the quotes, when they enclose all of it.
std::string unquote_whole(std::string_view text)
{
    std::string content;
    if (!text.starts_with('"')) return std::string(text);
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) content += text[++i];
        else if (text[i] != '"') content += text[i];
        else return i + 1 == text.size() ? content : std::string(text);
    }
    return std::string(text);
}

Target classify(std::string text)
{
    if (text.starts_with('|'))
        return {Target::Kind::command, unquote_whole(base::trim(std::string_view(text).substr(1)))};
    if (text.starts_with('/')) return {Target::Kind::file, std::move(text)};
    if (base::starts_with_ignoring_case(text, include_word))
        return {Target::Kind::include, std::string(base::trim(std::string_view(text).substr(include_word.size())))};
    return {Target::Kind::address, std::move(text)};
}

// Length of the item at the start of `text`: up to the next comma that no quote, comment or bracket protects.
std::size_t item_length(std::string_view text)
{
    int comments = 0;
    bool is_quoted = false, is_bracketed = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '\\') ++i;
        else if (is_quoted) is_quoted = c != '"';
        else if (c == '(') ++comments;
        else if (c == ')' && comments > 0) --comments;
        else if (comments > 0) continue;
        else if (c == '"') is_quoted = true;
        else if (c == '<') is_bracketed = true;
        else if (c == '>') is_bracketed = false;
        else if (c == ',' && !is_bracketed) return i;
    }
    return text.size();
}

// A quoted string that is an item of its own: "|command, with commas". Its length with quotes, or 0.
std::size_t quoted_item_length(std::string_view text, std::string& content)
{
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) {
            content += text[++i];
            continue;
        }
        if (text[i] != '"') {
            content += text[i];
            continue;
        }
        std::string_view rest = base::trim(text.substr(i + 1));
        bool is_joined = i + 1 < text.size() && (text[i + 1] == '@' || text[i + 1] == '.');
        return is_joined || rest.starts_with('<') || rest.starts_with('@') ? 0 : i + 1;
    }
    return 0;
}

std::size_t word_length(std::string_view text)
{
    std::size_t end = text.find_first_of(", \t\r\n");
    return end == text.npos ? text.size() : end;
}

}  // namespace

std::vector<Target> parse_targets(std::string_view text)
{
    std::vector<Target> targets;
    while (true) {
        while (!text.empty() && (base::is_space(text.front()) || text.front() == ',')) text.remove_prefix(1);
        if (text.empty()) return targets;
        char first = text.front();
        std::string content;
        if (std::size_t length = first == '"' ? quoted_item_length(text, content) : 0; length > 0) {
            if (!content.empty()) targets.push_back(classify(std::move(content)));
            text.remove_prefix(length);
        } else if (first == '|') {
            std::size_t end = item_length(text);
            targets.push_back(classify(std::string(base::trim(text.substr(0, end)))));
            text.remove_prefix(end);
        } else if (first == '/' || first == '\\' || first == ':') {
            // ":include: /file" is written too.
            std::size_t end = word_length(text);
            if (end == include_word.size() && base::starts_with_ignoring_case(text, include_word) &&
                end < text.size() && text[end] != ',') {
                while (end < text.size() && base::is_space(text[end])) ++end;
                end += word_length(text.substr(end));
            }
            targets.push_back(classify(std::string(text.substr(0, end))));
            text.remove_prefix(end);
        } else {
            std::size_t end = item_length(text);
            for (std::string& address : mime::parse_address_list(text.substr(0, end))) {
                if (!address.empty()) targets.push_back(classify(std::move(address)));
            }
            text.remove_prefix(end);
        }
    }
}

std::vector<Target> parse_target_lines(std::string_view text, std::size_t line_limit)
{
    std::vector<Target> targets;
    while (!text.empty()) {
        std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
        if (base::trim(line).starts_with('#')) continue;
        for (; !line.empty(); line.remove_prefix(std::min(line.size(), line_limit))) {
            for (Target& target : parse_targets(line.substr(0, line_limit))) targets.push_back(std::move(target));
        }
    }
    return targets;
}

}  // namespace ekiden::deliver
