// Characters that look like what the configuration knows and are something else: what is copied from a web page, or typed
// with an input method that was left on. Looks at the files themselves, so that it can explain why one cannot be read.
#include "base/text.hpp"
#include "config/lint_parts.hpp"
#include "config/source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ekiden::config {

namespace {

struct Foreign {
    std::string_view bytes, name;
    std::string_view instead;     // "" for blanks: an ordinary one
};
constexpr std::array foreigners{
    Foreign{"\xe3\x80\x80", "full-width space (U+3000)", ""},
    Foreign{"\xc2\xa0", "no-break space (U+00A0)", ""},
    Foreign{"\xe2\x80\xaf", "narrow no-break space (U+202F)", ""},
    Foreign{"\xe2\x80\x80", "en quad (U+2000)", ""},
    Foreign{"\xe2\x80\x82", "en space (U+2002)", ""},
    Foreign{"\xe2\x80\x83", "em space (U+2003)", ""},
    Foreign{"\xe2\x80\x89", "thin space (U+2009)", ""},
    Foreign{"\xe2\x80\x8b", "zero-width space (U+200B)", ""},
    Foreign{"\xe2\x80\x8c", "zero-width non-joiner (U+200C)", ""},
    Foreign{"\xe2\x80\x8d", "zero-width joiner (U+200D)", ""},
    Foreign{"\xe2\x81\xa0", "word joiner (U+2060)", ""},
    Foreign{"\xe2\x80\xa8", "line separator (U+2028)", ""},
    Foreign{"\xc2\xad", "soft hyphen (U+00AD)", ""},
    Foreign{"\xef\xbb\xbf", "byte order mark (U+FEFF)", ""},
    Foreign{"\xe2\x80\x9c", "typographic quotation mark (U+201C)", "\""},
    Foreign{"\xe2\x80\x9d", "typographic quotation mark (U+201D)", "\""},
    Foreign{"\xe2\x80\x9e", "typographic quotation mark (U+201E)", "\""},
    Foreign{"\xe2\x80\x98", "typographic quotation mark (U+2018)", "'"},
    Foreign{"\xe2\x80\x99", "typographic quotation mark (U+2019)", "'"},
    Foreign{"\xe2\x80\x90", "hyphen (U+2010)", "-"},
    Foreign{"\xe2\x80\x91", "no-break hyphen (U+2011)", "-"},
    Foreign{"\xe2\x80\x93", "en dash (U+2013)", "-"},
    Foreign{"\xe2\x80\x94", "em dash (U+2014)", "-"},
    Foreign{"\xe2\x88\x92", "minus sign (U+2212)", "-"},
    Foreign{"\xe3\x80\x81", "ideographic comma (U+3001)", ","},
};
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

// What a person reads: there, these characters are meant.
constexpr std::array<std::string_view, 6> texts_for_people{
    "smtpd_banner", "smtpd_reject_footer", "default_rbl_reply", "mail_name", "postscreen_reject_footer", "lmtp_banner"};

struct Found {
    std::size_t at = std::string_view::npos;
    std::size_t length = 0;
    std::string name, instead;
};

// U+FF01 to U+FF5E are the full-width twins of ASCII: EF BC 81 … EF BD 9E.
bool read_full_width(std::string_view text, std::size_t at, Found& found)
{
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    if (at + 3 > text.size() || byte(at) != 0xef || (byte(at + 1) != 0xbc && byte(at + 1) != 0xbd)) return false;
    const unsigned point = 0xf000u | ((byte(at + 1) & 0x3fu) << 6) | (byte(at + 2) & 0x3fu);
    if (point < 0xff01 || point > 0xff5e) return false;
    const char twin = static_cast<char>(point - 0xff01 + '!');
    found = {at, 3, fmt::format("full-width \"{}\" (U+{:04X})", twin, point), std::string(1, twin)};
    return true;
}

Found find_foreigner(std::string_view text, std::size_t from)
{
    for (std::size_t at = from; at < text.size(); ++at) {
        if (static_cast<unsigned char>(text[at]) < 0x80) continue;
        Found found;
        if (read_full_width(text, at, found)) return found;
        for (const auto& row : foreigners)
            if (text.substr(at).starts_with(row.bytes))
                return {at, row.bytes.size(), std::string(row.name), std::string(row.instead)};
    }
    return {};
}

bool ends_word(char c) { return base::is_space(c) || c == ','; }

// The word around `at`, other characters of this kind included.
std::string_view word_around(std::string_view text, std::size_t at)
{
    std::size_t begin = at, end = at;
    while (begin > 0 && !ends_word(text[begin - 1])) --begin;
    while (end < text.size() && !ends_word(text[end])) ++end;
    return text.substr(begin, end - begin);
}

std::string with_article(const std::string& name)
{
    return (std::string_view("aeiou").contains(name.front()) ? "an " : "a ") + name;
}

std::string sentence_about_blank(std::string_view line, std::string_view word, const Found& found)
{
    std::string_view plain = word;
    while (true) {
        const auto next = find_foreigner(plain, 0);
        if (next.at != 0 || !next.instead.empty()) break;
        plain.remove_prefix(next.length);
    }
    if (base::trim(line) == word && plain.empty())
        return fmt::format("{} is no blank for the mail system, and this line holds nothing else",
                           with_article(found.name));
    const auto rest = find_foreigner(plain, 0);
    std::string place;
    if (plain.empty()) place = "on its own";
    else if (plain.size() < word.size()) place = fmt::format("in front of \"{}\"", plain.substr(0, rest.at));
    else place = fmt::format("behind \"{}\"", word.substr(0, rest.at));
    return fmt::format("{} {} is not a blank for the mail system, but part of the word", with_article(found.name),
                       place);
}

class Reader {
public:
    explicit Reader(std::vector<OddCharacter>& result) : result_(result) {}

    void read(const std::string& path, bool is_main)
    {
        const auto& lines = source_.lines(path);
        std::string parameter;
        int first_crlf = 0;
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const Location at{path, static_cast<int>(i) + 1};
            std::string_view line = lines[i];
            if (first_crlf == 0 && line.ends_with('\r')) first_crlf = at.line;
            if (i == 0 && line.starts_with(byte_order_mark)) {
                add(at, "a byte order mark (U+FEFF) stands before the first word and becomes part of it", {},
                    "save the file as UTF-8 without one", byte_order_mark);
                line.remove_prefix(byte_order_mark.size());
            }
            const auto body = base::trim(line);
            if (body.empty() || body.front() == '#') continue;
            if (is_main && !base::is_space(line.front())) parameter = base::trim(body.substr(0, body.find('=')));
            check(at, line.substr(0, end_of_text(line)), parameter);
        }
        if (first_crlf > 0)
            add({path, first_crlf}, "lines end with CR LF, as Windows writes them", {},
                fmt::format("sed -i 's/\\r$//' {}", path), {});
    }

private:
    // Where a comment begins that became part of the value: that is another message's.
    static std::size_t end_of_text(std::string_view line)
    {
        for (auto at = line.find('#'); at != line.npos; at = line.find('#', at + 1))
            if (at > 0 && base::is_space(line[at - 1])) return at;
        return line.size();
    }

    void check(const Location& at, std::string_view line, const std::string& parameter)
    {
        std::vector<std::string> said;
        const bool is_for_people = std::ranges::find(texts_for_people, parameter) != texts_for_people.end();
        for (auto found = find_foreigner(line, 0); found.at != line.npos;
             found = find_foreigner(line, found.at + found.length)) {
            if (is_for_people && !found.instead.empty()) continue;
            if (std::ranges::find(said, found.name) != said.end()) continue;
            said.push_back(found.name);
            const auto word = word_around(line, found.at);
            if (found.instead.empty())
                add(at, sentence_about_blank(line, word, found), parameter, "replace it by an ordinary space", word);
            else
                add(at, fmt::format("{} is part of \"{}\"", with_article(found.name), word), parameter,
                    fmt::format("write {} instead", found.instead), word);
        }
    }

    void add(const Location& at, std::string_view what, std::string_view parameter, std::string_view advice,
             std::string_view word)
    {
        result_.push_back({make_problem(Problem::Level::warning, at, what, parameter, advice), std::string(word)});
    }

    std::vector<OddCharacter>& result_;
    Source source_;
};

}  // namespace

std::vector<OddCharacter> lint_characters(const std::string& directory)
{
    std::vector<OddCharacter> result;
    Reader reader(result);
    reader.read(directory + "/main.cf", true);
    reader.read(directory + "/master.cf", false);
    return result;
}

std::string_view without_odd_ends(std::string_view word)
{
    while (!word.empty() && static_cast<unsigned char>(word.front()) >= 0x80) word.remove_prefix(1);
    while (!word.empty() && static_cast<unsigned char>(word.back()) >= 0x80) word.remove_suffix(1);
    return word;
}

bool has_odd_character(std::string_view word) { return find_foreigner(word, 0).at != word.npos; }

std::vector<Problem> find_odd_characters(const std::string& directory)
{
    std::vector<Problem> problems;
    for (auto& odd : lint_characters(directory)) problems.push_back(std::move(odd.problem));
    return problems;
}

}  // namespace ekiden::config
