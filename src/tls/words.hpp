// The small languages of smtpd_tls_*, smtp_tls_* and tls_*: protocol lists, cipher grades, OpenSSL option words, log
// levels. Pure, but for asking OpenSSL what it knows. Errors carry Postfix's words where it has some.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tls {

// What may be spoken: OpenSSL version numbers (TLS1_2_VERSION…), 0 = no bound; `forbidden` are SSL_OP_NO_… bits.
struct Protocols {
    int lowest = 0, highest = 0;
    std::uint64_t forbidden = 0;
};
// ">=TLSv1.2, <=TLSv1.3", "!SSLv2, !SSLv3", "TLSv1.2 TLSv1.3", and hexadecimal versions after the comparisons.
Result<Protocols> parse_protocols(std::string_view text);

// "high", "medium", "low", "export", "null" → the tls_<grade>_cipherlist of `lists`, with "!x" for each of `excluded`.
// Trouble: no such grade.
struct CipherLists {
    std::string high, medium, low, exported, null;
};
Result<std::string> cipher_list(std::string_view grade, const CipherLists& lists,
                                const std::vector<std::string>& excluded);

// tls_ssl_options: words to set in SSL options; and tls_disable_workarounds: bug work-arounds to leave out. Both know
// hexadecimal masks too. `unknown` gets what is neither.
std::uint64_t parse_ssl_options(const std::vector<std::string>& words, std::vector<std::string>& unknown);
std::uint64_t parse_workarounds(const std::vector<std::string>& words, std::vector<std::string>& unknown);

// smtpd_tls_loglevel, as bits of what is written.
enum LogBits : std::uint8_t {
    log_summary = 1,    // 1: one line for each connection, and untrusted certificates
    log_verbose = 2,    // 2: the steps of the handshake
    log_packets = 4,    // 3: also hexadecimal dumps, of the handshake
    log_everything = 8, // 4: also of what comes after
};
Result<std::uint8_t> parse_log_level(std::string_view text);

// Is this a host name (RFC 6066 3)? What a stranger asked for may become a table's key, and by a pattern table's "$1" a
// file's name.
bool is_server_name(std::string_view name);

}  // namespace ekiden::tls
