// The domain half of mail/address.hpp: hostname rules, literals, internationalised names.
#include "mail/address.hpp"

#include "base/text.hpp"
#include "mail/idna.hpp"

#include <fmt/format.h>
#include <idn2.h>

#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <memory>

namespace ekiden::mail {
namespace {

constexpr std::size_t longest_name = 255, longest_label = 63;   // RFC 1035 section 2.3.4

bool is_ipv4(std::string_view text)
{
    int octets = 0;
    for (std::string_view part : base::split(text, '.')) {
        if (++octets > 4 || part.empty() || part.size() > 3 || (part.size() > 1 && part[0] == '0')) return false;
        const auto value = base::parse_number<unsigned>(part);
        if (!value || *value > 255) return false;
    }
    return octets == 4;
}

bool is_ipv6(std::string_view text)
{
    if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != text.npos) return false;
    in6_addr address;
    return inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1;
}

}  // namespace

std::optional<std::string> hostname_fault(std::string_view name)
{
    const auto shown = name.substr(0, 100);
    if (name.empty()) return "empty hostname";
    std::string encoded;
    if (!base::is_ascii(name)) {
        auto ascii = base::is_valid_utf8(name) ? to_ascii_domain(name) : std::nullopt;
        if (!ascii) {
            const auto bad =
                *std::find_if(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) > 127; });
            return fmt::format("invalid character {}(decimal): {}", static_cast<unsigned char>(bad), shown);
        }
        name = encoded = std::move(*ascii);
    }
    std::size_t label = 0;
    bool has_letter = false;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char c = name[i];
        if (base::is_alnum(c) || c == '_') {
            if (++label > longest_label) return fmt::format("hostname label too long: {}", shown);
            has_letter = has_letter || !base::is_digit(c);
        } else if (c == '.') {
            if (label == 0 || i + 1 == name.size()) return fmt::format("misplaced delimiter: {}", shown);
            label = 0;
        } else if (c == '-') {
            has_letter = true;
            if (++label == 1 || i + 1 == name.size() || name[i + 1] == '.')
                return fmt::format("misplaced hyphen: {}", shown);
            if (label > longest_label) return fmt::format("hostname label too long: {}", shown);
        } else {
            return fmt::format("invalid character {}(decimal): {}", static_cast<unsigned char>(c), shown);
        }
    }
    if (!has_letter) return fmt::format("numeric hostname: {}", shown);
    if (name.size() > longest_name) return fmt::format("bad length {} for {}...", name.size(), shown);
    return std::nullopt;
}

bool is_valid_hostname(std::string_view name) { return !hostname_fault(name); }

bool is_valid_address_literal(std::string_view text)
{
    if (text.size() < 3 || text.front() != '[' || text.back() != ']') return false;
    const auto inner = text.substr(1, text.size() - 2);
    if (base::starts_with_ignoring_case(inner, "ipv6:")) return is_ipv6(inner.substr(5));
    return is_ipv4(inner);
}

bool is_numeric_domain(std::string_view domain) { return is_ipv4(domain); }

static std::atomic<bool> is_transitional{false};

void use_transitional_idna(bool is_on) { is_transitional.store(is_on, std::memory_order_relaxed); }

std::optional<std::string> to_ascii_domain(std::string_view domain)
{
    if (domain.empty() || domain.size() > 4 * longest_name || domain.find('\0') != domain.npos) return std::nullopt;
    if (base::is_ascii(domain)) return base::lower(domain);

    char* encoded = nullptr;
    const int flags = IDN2_NFC_INPUT | (is_transitional.load(std::memory_order_relaxed) ? IDN2_TRANSITIONAL
                                                                                        : IDN2_NONTRANSITIONAL);
    if (idn2_to_ascii_8z(std::string(domain).c_str(), &encoded, flags) != IDN2_OK) return std::nullopt;
    const std::unique_ptr<char, void (*)(void*)> owner(encoded, idn2_free);
    return base::lower(encoded);
}

}  // namespace ekiden::mail
