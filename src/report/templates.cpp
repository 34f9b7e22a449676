#include "report/templates.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace ekiden::report {
namespace {

constexpr std::string_view greeting = "This is the mail system at host $myhostname.\n\n";
constexpr std::string_view assistance =
    "For further assistance, please send mail to postmaster.\n\n"
    "If you do so, please include this problem report. You can\n"
    "delete your own text from the attached returned message.\n\n";
constexpr std::string_view signature = "                   The mail system\n";

constexpr std::size_t largest_file = 1 << 20;

}  // namespace

Templates Templates::standard()
{
    Templates t;
    t.failure.name = "failure";
    t.failure.subject = "Undelivered Mail Returned to Sender";
    t.failure.postmaster_subject = "Postmaster Copy: Undelivered Mail";
    t.failure.text = fmt::format("{}I'm sorry to have to inform you that your message could not\n"
                                 "be delivered to one or more recipients. It's attached below.\n\n{}{}",
                                 greeting, assistance, signature);
    t.delay.name = "delay";
    t.delay.subject = "Delayed Mail (still being retried)";
    t.delay.postmaster_subject = "Postmaster Warning: Delayed Mail";
    t.delay.text = fmt::format("{}####################################################################\n"
                               "# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #\n"
                               "####################################################################\n\n"
                               "Your message could not be delivered for more than $delay_warning_time_hours hour(s).\n"
                               "It will be retried until it is $maximal_queue_lifetime_days day(s) old.\n\n{}{}",
                               greeting, assistance, signature);
    t.success.name = "success";
    t.success.subject = "Successful Mail Delivery Report";
    t.success.text = fmt::format("{}Your message was successfully delivered to the destination(s)\n"
                                 "listed below. If the message was delivered to mailbox you will\n"
                                 "receive no further notifications. Otherwise you may still receive\n"
                                 "notifications of mail delivery errors from other systems.\n\n{}",
                                 greeting, signature);
    t.verify.name = "verify";
    t.verify.subject = "Mail Delivery Status Report";
    t.verify.text =
        fmt::format("{}Enclosed is the mail delivery report that you requested.\n\n{}", greeting, signature);
    return t;
}

namespace {

struct Lines {
    std::string_view rest;
    int number = 0;
    std::optional<std::string_view> next()
    {
        if (rest.empty()) return std::nullopt;
        ++number;
        const std::size_t end = rest.find('\n');
        std::string_view line = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        return line;
    }
};

// "Name: value" lines up to an empty line, then the text. Without any header the whole is text.
Result<void> fill(Template& words, const std::string& body, std::string_view where)
{
    Lines lines{body};
    std::string_view text = body;
    while (auto line = lines.next()) {
        if (line->empty()) {
            text = lines.rest;
            break;
        }
        const std::size_t colon = line->find(':');
        if (colon == std::string_view::npos || line->substr(0, colon).find(' ') != std::string_view::npos)
            break;  // text begins at once
        const std::string_view name = line->substr(0, colon), value = base::trim(line->substr(colon + 1));
        if (value.empty()) return fail(ErrorCode::syntax, fmt::format("{}: missing header value: {}", where, *line));
        const bool has_control =
            std::ranges::any_of(value, [](unsigned char c) { return (c < ' ' && c != '\t') || c == 127; });
        if (has_control)
            return fail(ErrorCode::syntax,
                        fmt::format("{}: control character in header value: {}", where, base::printable(*line, '?')));
        if (!base::is_ascii(value))
            return fail(ErrorCode::syntax, fmt::format("{}: non-ASCII header value: {}", where, *line));
        if (base::equal_ignoring_case(name, "Charset")) words.charset = value;
        else if (base::equal_ignoring_case(name, "From")) words.from = value;
        else if (base::equal_ignoring_case(name, "Subject")) words.subject = value;
        else if (base::equal_ignoring_case(name, "Postmaster-Subject")) words.postmaster_subject = value;
        else return fail(ErrorCode::syntax, fmt::format("{}: unknown header: {}", where, *line));
        text = lines.rest;
    }
    if (!base::is_ascii(text) && base::equal_ignoring_case(words.charset, "us-ascii"))
        return fail(ErrorCode::syntax, fmt::format("{}: non-ASCII text needs a Charset header", where));
    words.text = text;
    return {};
}

}  // namespace

Result<Templates> Templates::parse(std::string_view file_text, std::string_view file_name, const Templates& base)
{
    Templates t = base;
    Lines lines{file_text};
    while (auto line = lines.next()) {
        const std::string_view trimmed = base::trim(*line);
        if (trimmed.empty() || trimmed.starts_with('#')) continue;
        const std::string where = fmt::format("{}, line {}", file_name, lines.number);
        const std::size_t equals = trimmed.find('=');
        const std::string_view name = base::trim(trimmed.substr(0, equals));
        std::string_view mark =
            equals == std::string_view::npos ? std::string_view() : base::trim(trimmed.substr(equals + 1));
        if (!mark.starts_with("<<"))
            return fail(ErrorCode::syntax, fmt::format("{}: need \"template_name = <<EOF\": {}", where, trimmed));
        mark = base::trim(mark.substr(2));
        if (mark.empty()) return fail(ErrorCode::syntax, fmt::format("{}: missing end mark after <<", where));

        Template* words = name == "failure_template"   ? &t.failure
                          : name == "delay_template"   ? &t.delay
                          : name == "success_template" ? &t.success
                          : name == "verify_template"  ? &t.verify
                                                       : nullptr;
        if (!words) return fail(ErrorCode::syntax, fmt::format("{}: unknown template name: {}", where, name));
        std::string body;
        bool is_closed = false;
        while (auto inner = lines.next()) {
            if (*inner == mark) {
                is_closed = true;
                break;
            }
            body.append(*inner).append("\n");
        }
        if (!is_closed)
            return fail(ErrorCode::syntax, fmt::format("{}: missing \"{}\" at the end of {}", where, mark, name));
        words->origin = file_name;
        EKIDEN_TRY(fill(*words, body, where));
    }
    return t;
}

Templates Templates::load(const config::Settings& settings, std::vector<std::string>& problems)
{
    const std::string file = settings.str("bounce_template_file");
    return file.empty() ? standard() : load_file(file, problems);
}

Templates Templates::load_file(const std::string& file, std::vector<std::string>& problems)
{
    Templates built_in = standard();
    std::ifstream in(file, std::ios::binary);
    if (!in) {
        problems.push_back(Error::from_errno("open", file).text());
        return built_in;
    }
    std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    if (text.size() > largest_file) {
        problems.push_back(fmt::format("{}: file is too large for a bounce template file", file));
        return built_in;
    }
    auto parsed = parse(text, file, built_in);
    if (parsed) return std::move(*parsed);
    problems.push_back(parsed.error().text());
    return built_in;
}

namespace {

struct Unit {
    std::string_view name;
    std::int64_t seconds;
};
constexpr Unit units[] = {{"seconds", 1}, {"minutes", 60}, {"hours", 3600}, {"days", 86400}, {"weeks", 604800}};

// The value of "delay_warning_time_hours" and the like; nothing for other names.
std::optional<std::string> time_in_unit(const Template& words, const config::Settings& settings, std::string_view name,
                                        std::vector<std::string>& warnings)
{
    for (const std::string_view parameter :
         {std::string_view("delay_warning_time"), std::string_view("maximal_queue_lifetime")}) {
        if (!name.starts_with(parameter) || name.size() <= parameter.size() || name[parameter.size()] != '_') continue;
        const std::string_view suffix = name.substr(parameter.size() + 1);
        for (const Unit& unit : units) {
            if (unit.name != suffix) continue;
            const std::int64_t seconds = settings.time(parameter).count();
            const std::int64_t value = seconds / unit.seconds;
            if (value == 0 && seconds != 0) {
                warnings.push_back(fmt::format("{}: zero result in {} template conversion of parameter \"{}\"",
                                               words.origin, words.name, name));
                warnings.push_back(
                    fmt::format("please reduce time unit \"{}\" of \"{}\" in {} template", suffix, name, words.name));
                warnings.push_back("for instructions see the bounce(5) manual");
            }
            return fmt::format("{}", value);
        }
    }
    return std::nullopt;
}

constexpr bool is_name_char(char c) { return base::is_alnum(c) || c == '_'; }

}  // namespace

std::string expand(const Template& words, const config::Settings& settings, std::vector<std::string>& warnings)
{
    // Times first; what is left are parameters of main.cf.
    const std::string_view text = words.text;
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '$' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        if (text[i + 1] == '$') {
            out += "$$";
            ++i;
            continue;
        }
        const bool is_braced = text[i + 1] == '{' || text[i + 1] == '(';
        const std::size_t begin = i + (is_braced ? 2 : 1);
        std::size_t end = begin;
        while (end < text.size() && is_name_char(text[end])) ++end;
        const bool is_closed = !is_braced || (end < text.size() && (text[end] == '}' || text[end] == ')'));
        const auto value =
            is_closed ? time_in_unit(words, settings, text.substr(begin, end - begin), warnings) : std::nullopt;
        if (!value) {
            out += '$';
            continue;
        }
        out += *value;
        i = end - (is_braced ? 0 : 1);
    }
    return settings.expand(out);
}

}  // namespace ekiden::report
