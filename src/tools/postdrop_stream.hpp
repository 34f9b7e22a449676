// What sendmail says to `postdrop -r`, and what that answers.
//
// Standard input: the header of mail/maildrop.hpp through its "content" line, then the message in pieces, each a decimal
// length, LF, and that many bytes; "0" LF ends it. An end of input before that means that the sender died in the
// middle: nothing is kept. The length is told in pieces because sendmail does not know it until its own input ends.
// Standard output (with -r): "id NAME" LF as soon as the header is taken; at the end "ok" LF, or "failed TEXT" LF, which
// may also come instead of the id.
//
// The decoder takes its input in any pieces and is bounded: what it holds is one header (mail::max_maildrop_header) or
// one length. Pure; one owner.
#pragma once

#include "base/result.hpp"
#include "mail/maildrop.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace ekiden::tools {

inline constexpr std::size_t max_drop_piece = 1 << 20;   // bytes

std::string drop_piece_head(std::size_t length);         // goes before the bytes of a piece; 0: the end

class DropDecoder {
public:
    // Consumes all of `bytes`; content is appended to `content`. Errors: syntax, too_long.
    Result<void> feed(std::string_view bytes, std::string& content);
    bool has_header() const { return has_header_; }
    bool is_complete() const { return is_complete_; }
    const mail::Maildrop& header() const { return parser_.header(); }

private:
    Result<void> read_length();

    mail::MaildropParser parser_;
    std::string length_text_;
    std::uint64_t left_ = 0;          // of the piece that is coming in
    bool has_header_ = false, is_complete_ = false;
};

}  // namespace ekiden::tools
