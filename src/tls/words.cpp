#include "tls/words.hpp"

#include "base/text.hpp"

#include <openssl/ssl.h>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>

namespace ekiden::tls {

namespace {

struct Version {
    std::string_view name;
    int number;                 // 0: OpenSSL 3 does not speak it at all
    std::uint64_t exclusion;
};
constexpr Version versions[] = {
    {"SSLv2", 0, 0},
    {"SSLv3", SSL3_VERSION, SSL_OP_NO_SSLv3},
    {"TLSv1", TLS1_VERSION, SSL_OP_NO_TLSv1},
    {"TLSv1.1", TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
    {"TLSv1.2", TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
    {"TLSv1.3", TLS1_3_VERSION, SSL_OP_NO_TLSv1_3},
};

const Version* find_version(std::string_view name)
{
    for (const Version& version : versions) {
        if (base::equal_ignoring_case(version.name, name)) return &version;
    }
    return nullptr;
}

std::optional<std::uint64_t> parse_hexadecimal(std::string_view text)
{
    if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
    if (text.empty() || text.size() > 16) return std::nullopt;
    std::uint64_t value = 0;
    for (char c : text) {
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) return std::nullopt;
        value = value * 16 + static_cast<std::uint64_t>(digit);
    }
    return value;
}

// A bound by name or by number; SSLv2 as a lower bound is no bound at all.
std::optional<int> parse_bound(std::string_view text)
{
    if (const Version* version = find_version(text)) return version->number == 0 ? SSL3_VERSION : version->number;
    const auto number = parse_hexadecimal(text);
    if (!number || *number < SSL3_VERSION || *number > TLS1_3_VERSION) return std::nullopt;
    return static_cast<int>(*number);
}

struct Option {
    std::string_view name;
    std::uint64_t bit;
};
// The old names of bugs that OpenSSL 3 no longer knows are accepted and mean nothing.
constexpr Option workarounds[] = {
    {"CRYPTOPRO_TLSEXT_BUG", SSL_OP_CRYPTOPRO_TLSEXT_BUG},
    {"DONT_INSERT_EMPTY_FRAGMENTS", SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS},
    {"LEGACY_SERVER_CONNECT", SSL_OP_LEGACY_SERVER_CONNECT},
    {"TLSEXT_PADDING", SSL_OP_TLSEXT_PADDING},
    {"MICROSOFT_BIG_SSLV3_BUFFER", 0}, {"MICROSOFT_SESS_ID_BUG", 0}, {"MSIE_SSLV2_RSA_PADDING", 0}, {"CVE-2005-2969", 0},
    {"NETSCAPE_CHALLENGE_BUG", 0}, {"NETSCAPE_REUSE_CIPHER_CHANGE_BUG", 0}, {"CVE-2010-4180", 0}, {"SSLEAY_080_CLIENT_DH_BUG", 0},
    {"SSLREF2_REUSE_CERT_TYPE_BUG", 0}, {"TLS_BLOCK_PADDING_BUG", 0}, {"TLS_D5_BUG", 0}, {"TLS_ROLLBACK_BUG", 0},
};
constexpr Option features[] = {
    {"ENABLE_MIDDLEBOX_COMPAT", SSL_OP_ENABLE_MIDDLEBOX_COMPAT},
    {"LEGACY_SERVER_CONNECT", SSL_OP_LEGACY_SERVER_CONNECT},
    {"NO_TICKET", SSL_OP_NO_TICKET},
    {"NO_COMPRESSION", SSL_OP_NO_COMPRESSION},
    {"NO_RENEGOTIATION", SSL_OP_NO_RENEGOTIATION},
    {"NO_SESSION_RESUMPTION_ON_RENEGOTIATION", SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION},
    {"PRIORITIZE_CHACHA", SSL_OP_PRIORITIZE_CHACHA},
};

std::uint64_t parse_options(std::span<const Option> known, const std::vector<std::string>& words,
                            std::vector<std::string>& unknown)
{
    std::uint64_t bits = 0;
    for (const std::string& word : words) {
        const Option* found = nullptr;
        for (const Option& option : known) {
            if (base::equal_ignoring_case(option.name, word)) found = &option;
        }
        if (found) bits |= found->bit;
        else if (const bool is_mask = word.starts_with("0x") || word.starts_with("0X");
                 !is_mask || !parse_hexadecimal(word))
            unknown.push_back(word);
        else bits |= *parse_hexadecimal(word);
    }
    return bits;
}

}  // namespace

Result<Protocols> parse_protocols(std::string_view text)
{
    Protocols result;
    std::uint64_t included = 0, all = 0;
    for (const Version& version : versions) all |= version.exclusion;
    std::string_view rest = text;
    constexpr std::string_view separators = ", \t\r\n:";
    for (;;) {
        const auto start = rest.find_first_not_of(separators);
        if (start == rest.npos) break;
        rest.remove_prefix(start);
        const std::string_view word = rest.substr(0, rest.find_first_of(separators));
        rest.remove_prefix(word.size());

        if (word.starts_with(">=") || word.starts_with("<=")) {
            const auto bound = parse_bound(word.substr(2));
            if (!bound) return fail(ErrorCode::syntax, fmt::format("Invalid TLS protocol list \"{}\"", text));
            (word[0] == '>' ? result.lowest : result.highest) = *bound;
            continue;
        }
        const bool is_exclusion = word.starts_with('!');
        const Version* version = find_version(is_exclusion ? word.substr(1) : word);
        if (!version) return fail(ErrorCode::syntax, fmt::format("Invalid TLS protocol list \"{}\"", text));
        (is_exclusion ? result.forbidden : included) |= version->exclusion;
        // "SSLv2" alone would be a list of nothing.
        if (!is_exclusion && version->exclusion == 0) included |= 1;
    }
    if (included != 0) result.forbidden |= all & ~included;
    return result;
}

Result<std::string> cipher_list(std::string_view grade, const CipherLists& lists,
                                const std::vector<std::string>& excluded)
{
    const struct {
        std::string_view name;
        const std::string* list;
    } grades[] = {{"high", &lists.high},
                  {"medium", &lists.medium},
                  {"low", &lists.low},
                  {"export", &lists.exported},
                  {"null", &lists.null}};
    for (const auto& known : grades) {
        if (!base::equal_ignoring_case(known.name, grade)) continue;
        // Grades that OpenSSL has given up are empty: what is left of them is "medium".
        std::string result = known.list->empty() ? lists.medium : *known.list;
        for (const std::string& item : excluded) result += ":!" + item;
        return result;
    }
    return fail(ErrorCode::syntax, fmt::format("invalid cipher grade: \"{}\"", grade));
}

std::uint64_t parse_ssl_options(const std::vector<std::string>& words, std::vector<std::string>& unknown)
{
    std::uint64_t bits = parse_options(features, words, unknown);
    if (unknown.empty()) return bits;
    // Work-arounds may be named here too.
    std::vector<std::string> left = std::move(unknown);
    unknown.clear();
    return bits | parse_options(workarounds, left, unknown);
}

std::uint64_t parse_workarounds(const std::vector<std::string>& words, std::vector<std::string>& unknown)
{
    return parse_options(workarounds, words, unknown);
}

Result<std::uint8_t> parse_log_level(std::string_view text)
{
    const std::string_view level = base::trim(text);
    if (level.size() == 1 && level[0] >= '0' && level[0] <= '4') {
        return static_cast<std::uint8_t>((1u << (level[0] - '0')) - 1);
    }
    return fail(ErrorCode::syntax, fmt::format("unknown smtpd_tls_loglevel value \"{0}\" in \"{0}\"", text));
}

bool is_server_name(std::string_view name)
{
    constexpr std::size_t longest_name = 255, longest_label = 63;
    if (name.empty() || name.size() > longest_name) return false;
    for (const std::string_view label : base::split(name, '.')) {
        if (label.empty() || label.size() > longest_label || label.front() == '-' || label.back() == '-') return false;
        if (!std::ranges::all_of(label, [](char c) { return base::is_alnum(c) || c == '-' || c == '_'; })) return false;
    }
    return true;
}

}  // namespace ekiden::tls
