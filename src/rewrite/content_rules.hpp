// header_checks(5) and body_checks(5): one logical header line or one body line against a table of patterns, and what the
// result asks for; for mail that comes in and, with fewer actions, for mail that is sent (smtp_header_checks …). Decides
// and words; others act. Immutable; any core.
#pragma once

#include "config/settings.hpp"
#include "mime/header.hpp"
#include "mime/parts.hpp"
#include "table/maps.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::rewrite {

class ContentRules {
public:
    enum class Action : std::uint8_t {
        none,
        pass,
        reject,
        discard,
        hold,
        filter,
        redirect,
        bcc,
        prepend,
        replace,
        ignore,
        strip,
        info,
        warn
    };
    struct Verdict {
        Action action = Action::none;
        std::string text;
    };

    // `prefix`: "" for cleanup, "smtp_" or "lmtp_" for a client.
    static ContentRules from(const config::Settings& settings, std::string_view prefix = "");

    // milter_header_checks: for every field that a milter adds or changes.
    static ContentRules for_milters(const config::Settings& settings);

    // Is there a table for fields of the message's own header; for those of parts and attached messages?
    bool has_header_rules() const { return !header_.is_empty() || !mime_header_.is_empty(); }
    bool has_part_rules() const { return !nested_header_.is_empty() || !mime_header_.is_empty(); }
    bool has_body_rules() const { return !body_.is_empty(); }
    std::size_t body_size_limit() const { return body_size_limit_; }   // bytes of each part that are looked at

    // Trouble is an Error: the message has to wait. `text` without the final newline. Content-* and MIME-Version fields,
    // and all fields of parts, go to mime_header_checks; others of attached messages to nested_header_checks.
    Task<Result<Verdict>> check_header(mime::HeaderKind kind, mime::FieldName known, std::string_view name,
                                       std::string text, const Logger* log) const;
    Task<Result<Verdict>> check_body(std::string line, const Logger* log) const;

    // Why the result of a rule will not be carried out, in the words of the warning that each such message writes, or
    // "". `title` is the parameter's name, which says whether it is about headers, and about mail that is sent.
    static std::string flaw_of(std::string_view result, const std::string& title);
    // REJECT, WARN, …: those that a parameter of that name knows.
    static std::vector<std::string_view> commands(std::string_view title);

private:
    Verdict parse(const table::Maps& maps, bool is_header, const std::string& result, const Logger* log) const;

    table::Maps header_, mime_header_, nested_header_, body_;
    std::size_t body_size_limit_ = 51200;
    bool is_client_ = false;
};

// The word in the log: "reject", "hold", "warning", … ; empty for actions that are not logged.
std::string_view log_word(ContentRules::Action action);

}  // namespace ekiden::rewrite
