// link: sasl net base
// Any bytes as the lines that the process with libsasl2 hears: nothing that a remote client can say becomes another field,
// another line or an address, and what our own client writes is read as it was meant. The same bytes as an smtpd.conf.
#include "sasl/cyrus_config.hpp"
#include "sasl/cyrus_protocol.hpp"
#include "sasl/dovecot_protocol.hpp"

#include "base/assert.hpp"
#include "base/text.hpp"

#include <algorithm>

using namespace ekiden;

namespace {

void judge(const sasl::AuthRequest& request)
{
    EKIDEN_ASSERT(request.mechanism.size() <= 256);
    EKIDEN_ASSERT(request.service.size() <= 1024 && request.realm.size() <= 1024);
    for (const std::string& address : {request.local, request.remote}) {
        EKIDEN_ASSERT(address.find_first_not_of("0123456789abcdefABCDEF.:;") == address.npos);
        EKIDEN_ASSERT(address.empty() || std::ranges::count(address, ';') == 1);
    }
}

// As a mechanism and a response that a remote client sent, behind demands that it must not shake off.
void send_and_read(std::string_view text)
{
    sasl::DovecotRequest sent{.id = 7,
                              .mechanism = text.substr(0, 100),
                              .security_words = "noplaintext,noanonymous",
                              .with_realm = true,
                              .response = text};
    sasl::Peer peer;
    peer.realm = text.substr(0, 1000);
    const std::string bytes(sasl::format_dovecot_auth(sent, peer).view());
    auto read = sasl::parse_cyrus_request(std::string_view(bytes).substr(0, bytes.size() - 1));
    if (sasl::escape_field(peer.realm).size() > 1024) return;    // a realm that no site has
    EKIDEN_ASSERT(read && std::holds_alternative<sasl::AuthRequest>(*read));
    const auto& request = std::get<sasl::AuthRequest>(*read);
    EKIDEN_ASSERT(request.id == 7 && request.security == (sasl::plaintext | sasl::anonymous));
    EKIDEN_ASSERT(request.response && request.response->view() == text);
    EKIDEN_ASSERT(request.realm == peer.realm);
    if (sasl::escape_field(sent.mechanism).size() <= 256) EKIDEN_ASSERT(request.mechanism == sent.mechanism);
}

void answer_and_read(std::string_view text)
{
    sasl::CyrusReply reply{.kind = sasl::CyrusReply::Kind::try_later, .text = std::string(text.substr(0, 200))};
    reply.log.emplace_back(text);
    std::string bytes = sasl::format_cyrus_reply(9, reply);
    EKIDEN_ASSERT(std::ranges::count(bytes, '\n') == 1 && bytes.ends_with('\n'));
    bytes.pop_back();
    const auto line = sasl::parse_dovecot_line(bytes);
    EKIDEN_ASSERT(line && line->kind == sasl::DovecotLine::Kind::failure && line->id == 9 && line->is_temporary);
    EKIDEN_ASSERT(line->text == reply.text && line->log == reply.log);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    for (const auto text : base::split(bytes, '\n')) {
        if (auto request = sasl::parse_cyrus_request(text)) {
            if (const auto* auth = std::get_if<sasl::AuthRequest>(&*request)) judge(*auth);
        } else {
            EKIDEN_ASSERT(base::printable(request.error().text()) == request.error().text());
        }
        EKIDEN_ASSERT(sasl::unescape_field(sasl::escape_field(text)) == text);
        send_and_read(text);
        answer_and_read(text);
    }
    const auto config = sasl::parse_cyrus_config(bytes, "f");
    EKIDEN_ASSERT(config.settings.size() + config.bad_lines.size() <= size + 1);
    (void)sasl::find_cyrus_problems(config, {"PLAIN"});
    return 0;
}
