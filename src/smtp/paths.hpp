// MAIL FROM / RCPT TO: the path and its ESMTP parameters (RFC 5321 4.1.2, 1870, 3461, 6152, 6531, 4954). Pure.
//
// Postfix's tolerance is kept: blanks before the path, no angle brackets or stray ones, comments, source routes (dropped),
// quoted local parts, more than one "@" (the last one separates). Strict is without the bare form and the comments. What is
// refused carries the reply to send.
#pragma once

#include "mail/envelope.hpp"
#include "smtp/reply.hpp"

#include <array>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace ekiden::smtp {

inline constexpr std::size_t max_parameters = 16;

struct Path {
    enum class Problem : std::uint8_t {
        none,
        bad_command,        // no "FROM:" / "TO:" or nothing after it
        unclosed,           // no ">" behind "<": refused without a log line, so that it cannot be used to flood the log
        illegal_address,
    } problem = Problem::none;
    std::string_view text;                 // the path as it was sent, brackets included
    std::string address;                   // internal form; "" = null path
    std::array<std::string_view, max_parameters> parameter_store;
    std::size_t parameter_count = 0;
    bool has_too_many_parameters = false;

    std::span<const std::string_view> parameters() const { return {parameter_store.data(), parameter_count}; }
};
// `arguments` is what follows the verb; `keyword` is "FROM" or "TO".
Path parse_path(std::string_view arguments, std::string_view keyword, bool is_strict);

// One address, as in a header line: "<…>", bare, with a name or comments → internal form. False when it is none (or several),
// or, strict, when there is more than the address in its brackets.
bool parse_address(std::string_view text, std::string& address, bool is_strict = false);

struct MailParameters {
    std::uint64_t size = 0;                // 0 = not said
    bool has_size = false;
    mail::BodyType body = mail::BodyType::unspecified;
    bool is_smtputf8 = false;
    mail::DsnReturn dsn_return = mail::DsnReturn::unspecified;
    std::string envid;                     // decoded
    std::string_view auth;                 // as sent
    std::string verp_delimiters;           // XVERP; empty: not asked for
};
struct RecipientParameters {
    std::uint8_t notify = mail::notify_default;
    std::string original;                  // "rfc822;user@domain", decoded
};
// What this server offers. SIZE= and BODY= are taken from whoever says them.
struct ParameterRules {
    bool with_dsn = true, with_smtputf8 = true;
    bool with_verp = false;                // XVERP, for clients who may
    std::string_view verp_delimiters = "+=",
                     verp_filter = "-=+";  // those of XVERP alone, and those that may be asked for
};
std::expected<MailParameters, Reply> parse_mail_parameters(const Path& path, const ParameterRules& rules);
// `unknown_notify` gets a NOTIFY word that is none, for the log.
std::expected<RecipientParameters, Reply> parse_recipient_parameters(const Path& path, const ParameterRules& rules,
                                                                     std::string_view& unknown_notify);

}  // namespace ekiden::smtp
