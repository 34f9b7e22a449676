// link: check
// Any bytes as the lines of a policy server's reply: bounded, and what comes out can stand in a reply, a header and a log.
#include "check/policy_protocol.hpp"

#include "base/assert.hpp"
#include "base/text.hpp"

using namespace ekiden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    check::PolicyReply reply;
    int lines = 0;
    for (const auto line : base::split(bytes, '\n')) {
        ++lines;
        const auto fed = reply.feed(line);
        if (!fed) {
            EKIDEN_ASSERT(!reply.feed("action=OK").value_or(false));
            break;
        }
        EKIDEN_ASSERT(lines <= check::PolicyReply::most_lines);
        if (!*fed) continue;
        EKIDEN_ASSERT(reply.has_action());
        const std::string action = reply.take_action();
        EKIDEN_ASSERT(action.size() <= check::PolicyReply::longest_line);
        for (const char c : action) EKIDEN_ASSERT(static_cast<unsigned char>(c) >= 32 && c != 127);
        break;
    }
    // The same bytes as an argument of main.cf.
    if (const auto server = check::parse_policy_server(bytes, {})) {
        EKIDEN_ASSERT(server->endpoint.starts_with("inet:") || server->endpoint.starts_with("unix:"));
        EKIDEN_ASSERT(server->try_limit >= 1 && server->timeout.count() >= 1 && server->request_limit >= 0);
    }
    return 0;
}
