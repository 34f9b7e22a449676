#include "sasl/secret.hpp"

#include <openssl/crypto.h>

namespace ekiden::sasl {

void wipe(char* bytes, std::size_t size) noexcept { OPENSSL_cleanse(bytes, size); }

void wipe(std::string& text) noexcept
{
    text.resize(text.capacity());    // never allocates
    OPENSSL_cleanse(text.data(), text.size());
    text.clear();
}

bool equal_in_constant_time(std::string_view a, std::string_view b)
{
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace ekiden::sasl
