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

bool is_printable(std::string_view text)
{
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 32 && c != 127; });
}

Reply unsupported(std::string_view option) { return Reply(555, "5.5.4", "Unsupported option: " + std::string(option)); }
Reply bad(std::string text) { return Reply(501, "5.5.4", std::move(text)); }
Reply no_dsn() { return Reply(501, "5.7.1", "DSN support is disabled"); }

std::string_view value_of(std::string_view parameter) { return parameter.substr(parameter.find('=') + 1); }

// A piece of an address: words are copied in internal form, what stands for itself is one character.
struct Piece {
    enum class Kind : std::uint8_t { end, broken, word, literal, comment, special } kind = Kind::end;
    char special = 0;
};

class Pieces {
public:
    explicit Pieces(std::string_view text) : text_(text) {}

    // The next piece; `word` gets what a word or a literal says.
    Piece next(std::string& word)
    {
        Piece piece;
        word.clear();
        while (at_ < text_.size() && base::is_space(text_[at_])) ++at_;
        if (at_ == text_.size()) return piece;
        const char c = text_[at_];
        if (c == '(') piece.kind = skip_comment() ? Piece::Kind::comment : Piece::Kind::broken;
        else if (c == '[') piece.kind = take_literal(word);
        else if (std::string_view("<>@,;:).]").contains(c)) {
            piece.kind = Piece::Kind::special;
            piece.special = c;
            ++at_;
        } else {
            piece.kind = take_word(word);
        }
        return piece;
    }

private:
    bool skip_comment()
    {
        for (std::size_t level = 0; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (c == '\\') ++at_;
            else if (c == '(') ++level;
            else if (c == ')' && --level == 0) {
                ++at_;
                return true;
            }
        }
        return false;
    }

    // To "]", or, where that is missing, to the bracket of the path.
    Piece::Kind take_literal(std::string& word)
    {
        const auto close = text_.find_first_of("]>", at_);
        const auto inner = text_.substr(at_ + 1, std::min(close, text_.size()) - at_ - 1);
        if (close == std::string_view::npos || !std::ranges::all_of(inner, [](char c) {
                return c != '[' && !base::is_space(c) && is_harmless(c);
            }))
            return Piece::Kind::broken;
        word.append("[").append(inner).append("]");
        at_ = close + (text_[close] == ']' ? 1 : 0);
        return Piece::Kind::literal;
    }

    // An atom, with quoted parts and escaped characters in it.
    Piece::Kind take_word(std::string& word)
    {
        bool in_quotes = false;
        for (; at_ < text_.size(); ++at_) {
            char c = text_[at_];
            if (c == '\\') {
                if (++at_ == text_.size()) return Piece::Kind::broken;
                c = text_[at_];
            } else if (c == '"') {
                in_quotes = !in_quotes;
                continue;
            } else if (!in_quotes && (base::is_space(c) || std::string_view("<>()[]@,;:.").contains(c))) {
                break;
            }
            if (!is_harmless(c)) return Piece::Kind::broken;
            word += c;
        }
        return in_quotes ? Piece::Kind::broken : Piece::Kind::word;
    }

    static bool is_harmless(char c) { return static_cast<unsigned char>(c) >= 32 && c != 127; }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

bool parse_address(std::string_view text, std::string& address, bool is_strict)
{
    address.clear();
    address.reserve(text.size());
    Pieces pieces(text);
    std::string word;
    bool has_opened = false, has_closed = false, follows_word = false;
    for (;;) {
        const Piece piece = pieces.next(word);
        switch (piece.kind) {
            case Piece::Kind::end:
                return has_closed == has_opened && !(is_strict && address.starts_with('@'));
            case Piece::Kind::broken: return false;
            case Piece::Kind::comment:
                if (is_strict) return false;
                break;
            case Piece::Kind::literal:
            case Piece::Kind::word:
                if (has_closed) return false;
                if (follows_word) {
                    // Two words are a name, which an address in brackets must follow.
                    if (has_opened || is_strict || text.find('<') == std::string_view::npos) return false;
                    address += ' ';
                }
                address += word;
                follows_word = true;
                break;
            case Piece::Kind::special:
                if (piece.special == '<') {
                    if (has_closed) return false;
                    address.clear();
                    has_opened = true;
                    follows_word = false;
                } else if (piece.special == '>') {
                    // One that was not opened, or was closed before, says nothing.
                    has_closed = has_closed || has_opened;
                } else if (piece.special == ':') {
                    // A source route says how, not where to: "@a,@b:user@domain" (RFC 5321 appendix C).
                    if (has_closed) return false;
                    if (address.starts_with('@')) address.clear();
                    else address += ':';
                    follows_word = false;
                } else if (piece.special == ',') {
                    if (!address.starts_with('@') || text.find(':') == std::string_view::npos) return false;
                    follows_word = false;
                } else if (std::string_view(";)]").contains(piece.special) || has_closed) {
                    return false;
                } else {
                    address += piece.special;
                    follows_word = false;
                }
                break;
        }
    }
}

Path parse_path(std::string_view arguments, std::string_view keyword, bool is_strict)
{
    Path path;
    path.problem = Path::Problem::bad_command;
    if (!starts_with_ignoring_case(arguments, keyword)) return path;
    arguments.remove_prefix(keyword.size());
    if (!arguments.starts_with(':')) return path;
    arguments = base::trim(arguments.substr(1));
    path.text = next_word(arguments);
    if (path.text.empty()) return path;

    if (path.text.front() == '<' && path.text.find('>') == std::string_view::npos) {
        path.problem = Path::Problem::unclosed;
        return path;
    }
    path.problem = Path::Problem::illegal_address;
    if (is_strict && path.text.front() != '<') return path;
    if (!parse_address(path.text, path.address, is_strict)) return path;
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
        if (equal_ignoring_case(parameter, "BODY=8BITMIME")) {
            result.body = mail::BodyType::eight_bit;
        } else if (equal_ignoring_case(parameter, "BODY=7BIT")) {
            result.body = mail::BodyType::seven_bit;
        } else if (rules.with_smtputf8 && equal_ignoring_case(parameter, "SMTPUTF8")) {
            result.is_smtputf8 = true;
        } else if (starts_with_ignoring_case(parameter, "SIZE=")) {
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
            if (!decoded || decoded->empty() || !is_printable(*decoded) || !result.envid.empty()) {
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
        if (word.empty()) continue;
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
    if (semicolon == std::string_view::npos || semicolon == 0) return false;
    const auto type = value.substr(0, semicolon);
    if (!std::ranges::all_of(type, [](char c) { return base::is_alnum(c) || c == '-'; })) return false;
    auto address = value.substr(semicolon + 1);
    auto decoded = decode_xtext(address);
    if (equal_ignoring_case(type, "utf-8") && decoded) decoded = decode_utf8_address(*decoded);
    if (!decoded || !is_printable(*decoded)) return false;
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
