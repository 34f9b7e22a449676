// link: mail
// Addresses from the network in any shape: unquoting never fails, and what was unquoted survives quoting again.
#include "mail/address.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace ekiden::mail;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string internal = unquote_address(text);
    if (internal.size() > 2 * size) std::abort();

    const auto [local, domain, has_domain] = split_address(internal);
    if (local.size() + domain.size() + (has_domain ? 1 : 0) != internal.size()) std::abort();
    if (has_domain && (is_valid_hostname(domain) || is_valid_address_literal(domain))
        && unquote_address(quote_address(internal)) != internal)
        std::abort();
    const auto [user, extension] = split_extension(local, "+-");
    if (user.size() + extension.size() != local.size()) std::abort();
    if (auto ascii = to_ascii_domain(domain); ascii && ascii->find('@') != ascii->npos) std::abort();
    (void)hostname_fault(text);
    return 0;
}
