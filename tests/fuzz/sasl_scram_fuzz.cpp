// link: sasl net base
// What a client may send in SCRAM: the first byte chooses the channel, then come the first and the final message, one a
// line. Nobody gets in, for nobody can know the keys; and what was accepted in the first message comes back as it was.
#include "sasl/scram.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace ekiden::sasl;
    if (size == 0) return 0;
    const bool is_plus = (data[0] & 1) != 0, has_binding = (data[0] & 2) != 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto end = text.find('\n');
    const std::string_view first = text.substr(0, end),
                           final = end == text.npos ? std::string_view() : text.substr(end + 1);

    ScramServer server({is_plus, has_binding ? "exported" : "", has_binding ? "end point" : "", "NONCE"});
    const auto names = server.read_first(first);
    if (!names) {
        if (names.error().text().empty()) std::abort();
        return 0;
    }
    if (names->user.empty() || names->user.size() > first.size() || names->user.find('\0') != names->user.npos)
        std::abort();
    if (is_plus && !has_binding) std::abort();
    if (has_binding && !is_plus && first.starts_with("y")) std::abort();
    const std::string challenge =
        server.challenge({4096, "salt and pepper!", std::string(32, '\x5a'), std::string(32, '\xa5')});
    if (!challenge.starts_with("r=") || challenge.find("NONCE,s=c2FsdCBhbmQgcGVwcGVyIQ==,i=4096") == challenge.npos)
        std::abort();
    if (server.read_final(final)) std::abort();
    return 0;
}
