#include "rewrite/fields.hpp"

#include "mail/address.hpp"
#include "mime/addresses.hpp"
#include "mime/date.hpp"

#include <fmt/format.h>

#include <ctime>

namespace ekiden::rewrite {
namespace {

// Comments may not hold unbalanced parentheses or line breaks; names from strangers are made harmless.
// 8-bit text has its place only in a message that declares it (SMTPUTF8).
std::string comment_text(std::string_view text, bool may_be_utf8 = true)
{
    std::string out(text);
    for (char& c : out) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '(' || c == ')' || c == '\\' || byte < ' ' || c == 127 || (byte > 127 && !may_be_utf8)) c = '?';
    }
    return out;
}

// An address in its quotes is no comment: only what could not stand in a header at all goes.
std::string path_text(std::string out)
{
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < ' ' || c == 127) c = '?';
    }
    return out;
}

// RFC 6531 4.3: the UTF8SMTP family replaces ESMTP where the extension was asked for.
std::string_view protocol_name(const mail::Origin& origin, bool is_smtputf8)
{
    return is_smtputf8 && origin.protocol == "ESMTP" ? std::string_view("UTF8SMTP") : origin.protocol;
}

std::string bracketed(std::string_view address)
{
    return address.find(':') == address.npos ? fmt::format("[{}]", address) : fmt::format("[IPv6:{}]", address);
}

}  // namespace

std::string received_from_client(const mail::Origin& origin, const ReceivedFacts& facts)
{
    const auto& helo = origin.helo_name.empty() ? origin.client_name : origin.helo_name;
    std::string out = fmt::format("Received: from {} ({} {})\n", comment_text(helo), comment_text(origin.client_name),
                                  bracketed(origin.client_address));
    out += facts.tls_comment;
    if (facts.shows_login && !origin.sasl_username.empty()) {
        out +=
            fmt::format("\t(Authenticated sender: {}{})\n", comment_text(origin.sasl_username, facts.is_smtputf8),
                        origin.sasl_sender.empty() ? "" : " as " + comment_text(origin.sasl_sender, facts.is_smtputf8));
    }
    out += fmt::format("\tby {} ({}) with {}{} id {}", facts.myhostname, facts.mail_name,
                       protocol_name(origin, facts.is_smtputf8), facts.protocol_suffix, facts.id);
    const auto date = mime::format_date(facts.at);
    if (facts.only_recipient.empty()) out += fmt::format(";\n\t{}\n", date);
    else out += fmt::format("\n\tfor <{}>; {}\n", path_text(mail::quote_address(facts.only_recipient)), date);
    return out;
}

std::string received_from_user(unsigned uid, const ReceivedFacts& facts)
{
    return fmt::format("Received: by {} ({}, from userid {})\n\tid {}; {}\n", facts.myhostname, facts.mail_name, uid,
                       facts.id, mime::format_date(facts.at));
}

std::string received_from_self(const ReceivedFacts& facts)
{
    return fmt::format("Received: by {} ({}){}\n\tid {}; {}\n", facts.myhostname, facts.mail_name,
                       facts.is_smtputf8 ? " with UTF8SMTP" : "", facts.id, mime::format_date(facts.at));
}

std::string make_message_id(WallTime at, std::string_view id, std::string_view myhostname)
{
    // An id of the long form (it has a z where the short one has hexadecimal digits) is never given out twice.
    if (id.find('z') != id.npos) return fmt::format("{}@{}", id, myhostname);
    const std::time_t seconds = base::to_seconds(at);
    std::tm tm{};
    gmtime_r(&seconds, &tm);
    return fmt::format("{:04}{:02}{:02}{:02}{:02}{:02}.{}@{}", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                       tm.tm_min, tm.tm_sec, id, myhostname);
}

std::string from_body(std::string_view sender, std::string_view full_name, bool is_obsolete_format)
{
    if (sender.empty()) return "MAILER-DAEMON";
    const auto address = mail::quote_address(sender);
    if (full_name.empty()) return address;
    if (is_obsolete_format) return fmt::format("{} ({})", address, comment_text(full_name));
    return fmt::format("{} <{}>", mime::quote_phrase(full_name), address);
}

}  // namespace ekiden::rewrite
