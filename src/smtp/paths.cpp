#include "smtp/paths.hpp"

#include "base/text.hpp"
#include "mail/verp.hpp"
#include "smtp/command.hpp"
#include "smtp/xtext.hpp"

#include <algorithm>

namespace ekiden::smtp {

namespace {

using base::equal_ignoring_case;
using base::starts_with_ignoring_case;

constexpr std::size_t max_envid = 100;    // RFC 3461 4.4
constexpr std::size_t max_orcpt = 500;    // RFC 3461 4.2

bool is_printable(std::string_view text)
{
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 32 && c != 127; });
}

Reply unsupported(std::string_view option) { return Reply(555, "5.5.4", "Unsupported option: " + std::string(option)); }
Reply bad(std::string text) { return Reply(501, "5.5.4", std::move(text)); }
Reply no_dsn() { return Reply(501, "5.7.1", "DSN support is disabled"); }

std::string_view value_of(std::string_view parameter) { return parameter.substr(parameter.find('=') + 1); }

// The path, from its first byte to the blank that ends it; "<" reaches to its ">".
std::string_view take_path(std::string_view& text)
{
    text = base::trim(text);
    return next_word(text);
}

}  // namespace

bool parse_address(std::string_view text, std::string& address)
{
    address.clear();
    text = base::trim(text);
    if (text.starts_with('<')) {
        if (!text.ends_with('>')) return false;
        text = base::trim(text.substr(1, text.size() - 2));
    }
    // A source route says how, not where to: "@a,@b:user@domain" (RFC 5321 appendix C).
    if (text.starts_with('@')) {
        const auto colon = text.find(':');
        if (colon != std::string_view::npos && text.find('[') > colon) text.remove_prefix(colon + 1);
    }
    address.reserve(text.size());
    bool in_quotes = false, in_literal = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '\\' && !in_literal) {
            if (++i == text.size()) return false;
            c = text[i];
        } else if (c == '"' && !in_literal) {
            in_quotes = !in_quotes;
            continue;
        } else if (in_literal) {
            if (c == ']') in_literal = false;
            else if (c == '[' || base::is_space(c)) return false;
        } else if (!in_quotes) {
            if (c == '[') in_literal = true;
            else if (base::is_space(c) || std::string_view("<>(),;:]").find(c) != std::string_view::npos) return false;
        }
        if (static_cast<unsigned char>(c) < 32 || c == 127) return false;
        address += c;
    }
    return !in_quotes && !in_literal;
}

Path parse_path(std::string_view arguments, std::string_view keyword, bool is_strict)
{
    Path path;
    path.problem = Path::Problem::bad_command;
    if (!starts_with_ignoring_case(arguments, keyword)) return path;
    arguments = base::trim(arguments.substr(keyword.size()));
    if (!arguments.starts_with(':')) return path;
    arguments.remove_prefix(1);
    path.text = take_path(arguments);
    if (path.text.empty()) return path;

    if (path.text.front() == '<' && path.text.back() != '>') {
        path.problem = Path::Problem::unclosed;
        return path;
    }
    path.problem = Path::Problem::illegal_address;
    if (is_strict && path.text.front() != '<') return path;
    if (!parse_address(path.text, path.address)) return path;
    path.problem = Path::Problem::none;

    for (auto word = next_word(arguments); !word.empty(); word = next_word(arguments)) {
        if (path.parameter_count == max_parameters) {
            path.has_too_many_parameters = true;
            break;
        }
        path.parameter_store[path.parameter_count++] = word;
    }
    return path;
}

std::expected<MailParameters, Reply> parse_mail_parameters(const Path& path, const ParameterRules& rules)
{
    MailParameters result;
    for (const auto parameter : path.parameters()) {
        if (rules.with_8bitmime && equal_ignoring_case(parameter, "BODY=8BITMIME")) {
            result.body = mail::BodyType::eight_bit;
        } else if (rules.with_8bitmime && equal_ignoring_case(parameter, "BODY=7BIT")) {
            result.body = mail::BodyType::seven_bit;
        } else if (rules.with_smtputf8 && equal_ignoring_case(parameter, "SMTPUTF8")) {
            result.is_smtputf8 = true;
        } else if (rules.with_size && starts_with_ignoring_case(parameter, "SIZE=")) {
            const auto digits = value_of(parameter);
            if (digits.empty() || !std::ranges::all_of(digits, base::is_digit))
                return std::unexpected(bad("Bad message size syntax"));
            const auto size = base::parse_number<std::uint64_t>(digits);
            if (!size || *size > static_cast<std::uint64_t>(INT64_MAX)) {
                return std::unexpected(Reply(552, "5.3.4", "Message size exceeds file system imposed limit"));
            }
            result.size = *size;
            result.has_size = true;
        } else if (rules.with_verp &&
                   (equal_ignoring_case(parameter, "XVERP") || starts_with_ignoring_case(parameter, "XVERP="))) {
            if (path.address.empty())
                return std::unexpected(Reply(503, "5.5.4", "Error: XVERP requires non-null sender"));
            const bool is_plain = parameter.find('=') == std::string_view::npos;
            result.verp_delimiters = is_plain ? rules.verp_delimiters : value_of(parameter);
            if (!is_plain && !mail::are_verp_delimiters(result.verp_delimiters, rules.verp_filter)) {
                return std::unexpected(bad("Error: XVERP needs two characters from " + std::string(rules.verp_filter)));
            }
        } else if (starts_with_ignoring_case(parameter, "AUTH=")) {
            result.auth = value_of(parameter);
        } else if (starts_with_ignoring_case(parameter, "RET=")) {
            if (!rules.with_dsn) return std::unexpected(no_dsn());
            const auto value = value_of(parameter);
            const bool is_repeated = result.dsn_return != mail::DsnReturn::unspecified;
            if (!is_repeated && equal_ignoring_case(value, "FULL")) result.dsn_return = mail::DsnReturn::full;
            else if (!is_repeated && equal_ignoring_case(value, "HDRS")) result.dsn_return = mail::DsnReturn::headers;
            else return std::unexpected(bad("Bad RET parameter syntax"));
        } else if (starts_with_ignoring_case(parameter, "ENVID=")) {
            if (!rules.with_dsn) return std::unexpected(no_dsn());
            auto decoded = decode_xtext(value_of(parameter));
            if (!decoded || decoded->empty() || decoded->size() > max_envid || !is_printable(*decoded) ||
                !result.envid.empty()) {
                return std::unexpected(bad("Bad ENVID parameter syntax"));
            }
            result.envid = std::move(*decoded);
        } else {
            return std::unexpected(unsupported(parameter));
        }
    }
    if (path.has_too_many_parameters) return std::unexpected(bad("Error: too many parameters"));
    return result;
}

namespace {

struct NotifyWord {
    std::string_view name;
    std::uint8_t bit;
};
constexpr NotifyWord notify_words[] = {{"NEVER", mail::notify_never},
                                       {"SUCCESS", mail::notify_success},
                                       {"FAILURE", mail::notify_failure},
                                       {"DELAY", mail::notify_delay}};

// RFC 3461 4.1: NEVER stands alone.
bool parse_notify(std::string_view value, std::uint8_t& notify, std::string_view& unknown)
{
    for (const auto word : base::split(value, ',')) {
        const auto* row =
            std::ranges::find_if(notify_words, [&](const NotifyWord& w) { return equal_ignoring_case(w.name, word); });
        if (row == std::end(notify_words)) {
            unknown = word;
            return false;
        }
        notify |= row->bit;
    }
    return notify != 0 && !((notify & mail::notify_never) && notify != mail::notify_never);
}

bool parse_orcpt(std::string_view value, std::string& original)
{
    const auto semicolon = value.find(';');
    if (semicolon == std::string_view::npos || semicolon == 0 || value.size() > max_orcpt) return false;
    const auto type = value.substr(0, semicolon);
    if (!std::ranges::all_of(type, [](char c) { return base::is_alnum(c) || c == '-'; })) return false;
    auto address = value.substr(semicolon + 1);
    auto decoded = decode_xtext(address);
    if (equal_ignoring_case(type, "utf-8") && decoded) decoded = decode_utf8_address(*decoded);
    if (!decoded || decoded->empty() || !is_printable(*decoded)) return false;
    original = std::string(type) + ";" + *decoded;
    return true;
}

}  // namespace

std::expected<RecipientParameters, Reply> parse_recipient_parameters(const Path& path, const ParameterRules& rules,
                                                                     std::string_view& unknown_notify)
{
    RecipientParameters result;
    for (const auto parameter : path.parameters()) {
        if (starts_with_ignoring_case(parameter, "NOTIFY=")) {
            if (!rules.with_dsn) return std::unexpected(no_dsn());
            if (result.notify != mail::notify_default ||
                !parse_notify(value_of(parameter), result.notify, unknown_notify)) {
                return std::unexpected(bad("Error: Bad NOTIFY parameter syntax"));
            }
        } else if (starts_with_ignoring_case(parameter, "ORCPT=")) {
            if (!rules.with_dsn) return std::unexpected(no_dsn());
            if (!result.original.empty() || !parse_orcpt(value_of(parameter), result.original)) {
                return std::unexpected(bad("Error: Bad ORCPT parameter syntax"));
            }
        } else {
            return std::unexpected(unsupported(parameter));
        }
    }
    if (path.has_too_many_parameters) return std::unexpected(bad("Error: too many parameters"));
    return result;
}

}  // namespace ekiden::smtp
