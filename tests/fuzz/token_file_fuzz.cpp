// link: sasl
// Any bytes as a file that holds a bearer token: a token is printable, bounded, and never with a space or a line end in it;
// and any bytes as what a server says of SCRAM.
#include "sasl/client_token.hpp"
#include "sasl/cyrus_client.hpp"

#include "base/assert.hpp"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace ekiden;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto token = sasl::parse_token(text)) {
        EKIDEN_ASSERT(!token->is_empty() && token->size() <= sasl::longest_token);
        for (char c : token->view()) EKIDEN_ASSERT(c > 32 && c < 127);
    }
    (void)sasl::scram_iterations(text);
    (void)sasl::token_mechanism(text);
    return 0;
}
