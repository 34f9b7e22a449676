// link: net
// Any bytes as a PROXY header: what is asked for step by step is the header that is parsed as a whole, within bounds, and
// nothing that went into a log line is a control character.
#include "net/proxy_protocol.hpp"

#include "base/assert.hpp"
#include "base/text.hpp"

using namespace ekiden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    std::size_t have = 0;
    for (;;) {
        const auto wanted = net::proxy_bytes_wanted(input.substr(0, have));
        if (!wanted) {
            EKIDEN_ASSERT(!net::parse_proxy_header(input.substr(0, have)));
            EKIDEN_ASSERT(base::printable(wanted.error().text()) == wanted.error().text());
            return 0;
        }
        EKIDEN_ASSERT(have + *wanted <= net::longest_proxy_header);
        if (*wanted == 0) break;
        if (have + *wanted > input.size()) {
            EKIDEN_ASSERT(!net::parse_proxy_header(input));
            return 0;
        }
        have += *wanted;
    }
    const auto header = net::parse_proxy_header(input.substr(0, have));
    if (!header) {
        EKIDEN_ASSERT(base::printable(header.error().text()) == header.error().text());
        return 0;
    }
    if (header->is_local) return 0;
    EKIDEN_ASSERT(!header->client.address.is_v6() || !header->client.address.to_v6().is_v4_mapped());
    EKIDEN_ASSERT(net::parse_address(net::format_address(header->client.address)) == header->client.address);
    return 0;
}
