#include "tls/summary.hpp"

#include <fmt/format.h>

namespace ekiden::tls {

namespace {

std::string cipher_text(const Summary& s)
{
    return fmt::format("{} with cipher {} ({}/{} bits)", s.protocol, s.cipher, s.bits_used, s.bits_of_cipher);
}

std::string signature_text(std::string_view side, const Summary::Signature& signature)
{
    if (signature.scheme.empty()) return {};
    std::string text = fmt::format(" {}-signature {}", side, signature.scheme);
    if (!signature.digest.empty()) text += fmt::format(" {}-digest {}", side, signature.digest);
    return text;
}

std::string exchange_text(const Summary& s)
{
    std::string text;
    if (!s.key_exchange.empty()) text += " key-exchange " + s.key_exchange;
    return text + signature_text("server", s.server_signature);
}

// Text inside a comment (RFC 5322 3.2.2): nothing in it may end the comment or need quoting.
std::string comment_text(std::string_view text)
{
    std::string result(text);
    int open = 0;
    for (char& c : result) {
        if (c < 32 || c > 126 || c == '\\') c = '?';
        else if (c == '(') ++open;
        else if (c == ')' && --open < 0) {
            c = '?';
            open = 0;
        }
    }
    for (std::size_t at = result.size(); open > 0 && at-- > 0;) {
        // What was never closed, from the back.
        if (result[at] != '(') continue;
        result[at] = '?';
        --open;
    }
    return result;
}

}  // namespace

std::string describe(const Summary& s)
{
    return cipher_text(s) + exchange_text(s) + signature_text("client", s.client_signature);
}

std::string established_line(const Summary& s, std::string_view client)
{
    const std::string_view trust = !s.has_certificate ? "Anonymous" : s.is_verified ? "Trusted" : "Untrusted";
    return fmt::format("{} TLS connection established from {}{}{}: {}", trust, client,
                       s.server_name.empty() ? "" : " to ", s.server_name, describe(s));
}

std::string received_comment(const Summary& s)
{
    std::string text = "\t(using " + cipher_text(s);
    if (const std::string exchange = exchange_text(s); !exchange.empty()) text += "\n\t" + exchange;
    if (const std::string signature = signature_text("client", s.client_signature); !signature.empty())
        text += "\n\t" + signature;
    text += ")\n";
    if (s.has_certificate) {
        text += fmt::format("\t(Client CN \"{}\", Issuer \"{}\" ({}))\n", comment_text(s.subject),
                            comment_text(s.issuer), s.is_verified ? "verified OK" : "not verified");
    } else {
        text += s.was_certificate_asked ? "\t(Client did not present a certificate)\n"
                                        : "\t(No client certificate requested)\n";
    }
    return text;
}

}  // namespace ekiden::tls
