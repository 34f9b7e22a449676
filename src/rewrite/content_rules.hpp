// header_checks(5) and body_checks(5): one logical header line or one body line against a table of patterns, and what the
// result asks for. Decides and words; intake acts. Immutable; any core.
#pragma once

#include "config/settings.hpp"
#include "mime/header.hpp"
#include "table/maps.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace ekiden::rewrite {

class ContentRules {
public:
    enum class Action : std::uint8_t { none, pass, reject, discard, hold, filter, redirect, bcc, prepend, replace, ignore, strip, info, warn };
    struct Verdict {
        Action action = Action::none;
        std::string text;
    };

    static ContentRules from(const config::Settings& settings);

    bool has_header_rules() const { return !header_.is_empty() || !mime_header_.is_empty(); }
    bool has_body_rules() const { return !body_.is_empty(); }
    std::size_t body_size_limit() const { return body_size_limit_; }   // bytes of the body that are looked at

    // Trouble is an Error: the message is not accepted for now. `text` without the final newline. Content-* and
    // MIME-Version fields go to mime_header_checks.
    Task<Result<Verdict>> check_header(mime::FieldName known, std::string_view name, std::string text, const Logger* log) const;
    Task<Result<Verdict>> check_body(std::string line, const Logger* log) const;

private:
    static Verdict parse(const table::Maps& maps, const std::string& result, const Logger* log);

    table::Maps header_, mime_header_, body_;
    std::size_t body_size_limit_ = 51200;
};

// The word in the log: "reject", "hold", "warning", … ; empty for actions that are not logged.
std::string_view log_word(ContentRules::Action action);

}  // namespace ekiden::rewrite
