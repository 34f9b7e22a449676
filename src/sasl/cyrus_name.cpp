#include "sasl/cyrus_name.hpp"

#include <fmt/format.h>

#include <cstdint>

namespace ekiden::sasl {
namespace {

constexpr std::size_t readable_size =
    20;  // what a person sees of smtpd_sasl_path in ps and ls; the rest tells them apart

// FNV-1a, 64 bits. Whoever writes main.cf is no opponent, so a hash that is merely good at spreading is enough.
std::uint64_t hash(std::uint64_t state, std::string_view text)
{
    for (const unsigned char byte : text) {
        state = (state ^ byte) * 0x100000001b3;
    }
    return (state ^ 0xff) * 0x100000001b3;    // an end mark: "ab","c" is not "a","bc" (0xff is in no UTF-8 text)
}

bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

}  // namespace

std::string cyrus_socket_name(std::string_view smtpd_sasl_path, std::string_view config_path, bool is_chrooted)
{
    std::string name;
    for (const char c : smtpd_sasl_path.substr(0, readable_size)) {
        name += is_plain(c) ? c : '_';
    }
    const auto state = hash(hash(hash(0xcbf29ce484222325, smtpd_sasl_path), config_path), is_chrooted ? "y" : "n");
    return name + fmt::format("-{:016x}", state);
}

}  // namespace ekiden::sasl
