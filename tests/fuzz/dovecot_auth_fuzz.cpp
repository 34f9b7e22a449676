// link: sasl net base
// Any bytes as the lines of a server of Dovecot's protocol: what goes on to a client or a log line is harmless, and what
// we would say on top of it is one line.
#include "sasl/dovecot_protocol.hpp"

#include "base/assert.hpp"
#include "base/text.hpp"

#include <algorithm>

using namespace ekiden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    for (const auto text : base::split(bytes, '\n')) {
        const auto line = sasl::parse_dovecot_line(text);
        if (!line) continue;
        using Kind = sasl::DovecotLine::Kind;
        EKIDEN_ASSERT(line->user.find('\0') == line->user.npos && line->user.size() <= 1024);
        EKIDEN_ASSERT(line->log.size() <= 20);
        if (line->kind == Kind::challenge) EKIDEN_ASSERT(sasl::looks_like_base64(line->text));
        if (line->kind == Kind::mechanism) {
            EKIDEN_ASSERT(!line->mechanism.name.empty() && line->mechanism.name.size() <= 64);
            EKIDEN_ASSERT(std::ranges::none_of(line->mechanism.name, [](char c) { return c <= ' ' || c == 127; }));
        }
        // The same bytes as a mechanism and as a realm that a client or a site named.
        sasl::Peer peer;
        peer.realm = text;
        const sasl::Secret request =
            sasl::format_dovecot_auth({.id = line->id, .mechanism = text, .with_realm = true}, peer);
        EKIDEN_ASSERT(std::ranges::count(request.view(), '\n') == 1 && request.view().ends_with('\n'));
        EKIDEN_ASSERT(std::ranges::count(request.view(), '\t') == 5);
    }
    return 0;
}
