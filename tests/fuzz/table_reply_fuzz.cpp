// link: table
// What servers of tcp: and socketmap: tables may send: never more than the bounds, and trouble rather than a guess.
#include "table/remote_replies.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace ekiden::table;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto inside = parse_netstring(bytes); inside && *inside) {
        if ((*inside)->size() > max_socketmap_reply || !bytes.contains(**inside)) std::abort();
        (void)parse_socketmap_reply(**inside);
    }
    if (const Answer answer = parse_socketmap_reply(bytes); answer && *answer && !bytes.starts_with("OK "))
        std::abort();
    if (const Answer answer = parse_tcp_reply(bytes);
        answer && *answer && ((*answer)->size() > max_tcp_reply || !bytes.starts_with("200")))
        std::abort();
    // A key of any bytes is one line.
    if (tcp_query(bytes).find('\n') != tcp_query(bytes).size() - 1) std::abort();
    const auto query = parse_netstring(socketmap_query("n", bytes.substr(0, 1000)));
    if (!query || !*query) std::abort();
    return 0;
}
