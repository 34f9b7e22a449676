#include "mail/address.hpp"

#include "base/text.hpp"
#include "mail/tokens.hpp"

#include <algorithm>
#include <array>

namespace ekiden::mail {
namespace {

// Characters of an RFC 5322 atom, and every byte of UTF-8 above ASCII (RFC 6531).
constexpr auto atom_characters = [] {
    std::array<bool, 256> table{};
    for (int c = 128; c < 256; ++c) table[static_cast<std::size_t>(c)] = true;
    for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
    for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
    for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
    for (char c : std::string_view("!#$%&'*+-/=?^_`{|}~")) table[static_cast<unsigned char>(c)] = true;
    return table;
}();

bool is_atom_character(char c) { return atom_characters[static_cast<unsigned char>(c)]; }

}  // namespace

AddressParts split_address(std::string_view internal)
{
    const std::size_t at = internal.rfind('@');
    if (at == internal.npos) return {internal, {}, false};
    return {internal.substr(0, at), internal.substr(at + 1), true};
}

bool needs_quotes(std::string_view local)
{
    bool wants_atom = true;   // at the start and behind a dot
    for (char c : local) {
        if (c == '.') {
            if (wants_atom) return true;
            wants_atom = true;
        } else if (is_atom_character(c)) {
            wants_atom = false;
        } else {
            return true;
        }
    }
    return wants_atom;
}

std::string quote_local_part(std::string_view local)
{
    if (!needs_quotes(local)) return std::string(local);
    std::string out = "\"";
    for (char c : local) {
        if (c == '"' || c == '\\' || c == '\r') out += '\\';
        out += c;
    }
    return out += '"';
}

std::string quote_address(std::string_view internal)
{
    if (internal.empty()) return {};
    const auto [local, domain, has_domain] = split_address(internal);
    if (!needs_quotes(local)) return std::string(internal);
    std::string out = quote_local_part(local);
    if (has_domain) (out += '@') += domain;
    return out;
}

std::string unquote_address(std::string_view external)
{
    if (std::all_of(external.begin(), external.end(),
                    [](char c) { return is_atom_character(c) || c == '.' || c == '@'; }))
        return std::string(external);

    std::vector<Token> tokens;
    Token token;
    for (Lexer lexer(external); lexer.next(token);)
        if (token.kind != Token::Kind::comment) tokens.push_back(token);

    auto first = std::find_if(tokens.begin(), tokens.end(), [](const Token& t) { return t.is('<'); });
    auto last = tokens.end();
    if (first == tokens.end()) {
        first = tokens.begin();
    } else {
        ++first;
        last = std::find_if(first, tokens.end(), [](const Token& t) { return t.is('>'); });
    }
    if (first != last && first->is('@')) {   // a source route ends at its colon
        const auto colon = std::find_if(first, last, [](const Token& t) { return t.is(':'); });
        if (colon != last) first = colon + 1;
    }
    std::string out;
    bool after_word = false;
    for (; first != last; ++first) {
        if (after_word && first->is_word()) out += ' ';
        append_internal(out, *first);
        after_word = first->is_word();
    }
    return out;
}

std::pair<std::string_view, std::string_view>
split_extension(std::string_view local, std::string_view recipient_delimiter, bool owner_request_special)
{
    if (recipient_delimiter.empty() || local.size() < 2) return {local, {}};
    for (std::string_view special : {"postmaster", "mailer-daemon", "double-bounce"})
        if (base::equal_ignoring_case(local, special)) return {local, {}};
    if (owner_request_special && recipient_delimiter.find('-') != recipient_delimiter.npos) {
        if (base::starts_with_ignoring_case(local, "owner-")) return {local, {}};
        constexpr std::string_view request = "-request";
        if (local.size() > request.size() &&
            base::equal_ignoring_case(local.substr(local.size() - request.size()), request))
            return {local, {}};
    }
    const std::size_t at = local.find_first_of(recipient_delimiter, 1);
    if (at == local.npos) return {local, {}};
    return {local.substr(0, at), local.substr(at)};
}

}  // namespace ekiden::mail
