// One attempt to send one message: what MAIL, RCPT and the checks said so far, and the Draft from the first accepted
// recipient on. Dropped as a whole by RSET, HELO, EHLO, the end of the message and the end of the session.
#pragma once

#include "check/policy.hpp"
#include "rewrite/intake.hpp"
#include "smtp/dot_stream.hpp"
#include "smtp/paths.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ekiden::receive {

struct Transaction {
    smtp::MailParameters parameters;
    std::optional<rewrite::Draft> draft;
    std::size_t recipients = 0, overshoot = 0;

    // What access rules want done with the message, whatever else is said of it.
    bool discards = false, holds = false;
    std::string filter, redirect;
    std::vector<std::string> bcc, prepend;
    void remember(const check::Verdict& verdict);
    // Puts all that into the draft; the last step before the content.
    void apply_to_draft();

    // BDAT: once a chunk has been refused, every later one is thrown away until the last one or RSET.
    enum class Chunking : std::uint8_t { none, active, failed } chunking = Chunking::none;
    smtp::ChunkDecoder chunks;

    bool saw_bare_newline = false;
    std::uint64_t wire_bytes = 0;    // content bytes as they came, for "lost connection after DATA (N bytes)"
    std::uint64_t line_bytes = 0;    // of these, up to the last line end
    void count_wire(std::string_view bytes);
    void count_lines(std::string_view content);    // of BDAT: line_bytes as if each line ended with CRLF
};

}  // namespace ekiden::receive
