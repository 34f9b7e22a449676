// The file that sendmail and postdrop leave in $queue_directory/maildrop, and pickup collects. Text lines, then the
// message as it is:
//
//   ekiden-maildrop 1
//   sender alice@example.com          one; the null sender is an empty value
//   name Alice Example                full name for a missing From, may be absent
//   rcpt bob@example.com              one line each, internal address form, at least one; empty: $empty_address_recipient
//   notify success,failure            DSN wishes for the recipients below it, may be absent
//   ret full                          or hdrs
//   envid …
//   body 8bit                         or 7bit
//   smtputf8
//   gateway                           handed in by a gateway (sendmail -G): the rewrite context is "remote"
//   task verify                       or trace: report on it (sendmail -bv, -v)
//   verp +=                           the two delimiters: a sender address for each recipient (sendmail -XV)
//   orig-id 60EBA1280C7               believed from root and the mail system only
//   content
//   …bytes with LF line ends, to the end of the file
//
// Control bytes and '%' in values are %XX. Who hands it in is told by the owner of the file, never by its content. The
// parser is bounded (line, header, recipients), accepts its input in any pieces, and refuses what it does not know: a
// newer postdrop must not lose wishes silently. Pure.
#pragma once

#include "base/result.hpp"
#include "mail/envelope.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ekiden::mail {

inline constexpr std::size_t max_maildrop_line = 8192;
inline constexpr std::size_t max_maildrop_header = 32 << 20;    // bytes, all lines before the content

struct Maildrop {
    using Purpose = mail::Purpose;          // never a probe
    std::string sender, full_name;
    std::vector<Recipient> recipients;      // address and notify are used
    DsnReturn dsn_return = DsnReturn::unspecified;
    std::string dsn_envid;
    BodyType body = BodyType::unspecified;
    bool is_smtputf8 = false;
    bool is_gateway = false;
    Purpose purpose = Purpose::deliver;
    std::string verp_delimiters;
    std::string original_id;
};

// Everything up to and including the "content" line; the message follows.
std::string format(const Maildrop& header);

class MaildropParser {
public:
    // Consumes header lines from `bytes`. True once the "content" line has been taken: the rest of `bytes`, and all that
    // follows, is content. Errors: syntax, too_long.
    Result<bool> feed(std::string_view& bytes);
    const Maildrop& header() const { return header_; }
    Maildrop take() { return std::move(header_); }

private:
    Result<bool> read_line(std::string_view line);
    Maildrop header_;
    std::string partial_;
    std::size_t total_ = 0;
    std::uint8_t notify_ = notify_default;
    bool has_version_ = false, has_sender_ = false;
};

}  // namespace ekiden::mail
