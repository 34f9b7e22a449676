#include "sasl/mechanism.hpp"

#include "base/text.hpp"

#include <array>
#include <utility>

namespace ekiden::sasl {

namespace {
constexpr std::array<std::pair<std::string_view, Property>, 6> words{{
    {"noplaintext", plaintext},
    {"noactive", active},
    {"nodictionary", dictionary},
    {"noanonymous", anonymous},
    {"forward_secrecy", forward_secrecy},
    {"mutual_auth", mutual_auth},
}};
}  // namespace

Result<Properties> parse_security_options(std::string_view value)
{
    Properties result = 0;
    for (const auto word : base::split_any(value)) {
        bool is_known = false;
        for (const auto& [name, property] : words) {
            if (!base::equal_ignoring_case(name, word)) continue;
            result |= property;
            is_known = true;
        }
        if (!is_known) return fail(ErrorCode::syntax, std::string(word));
    }
    return result;
}

std::string format_security_options(Properties options)
{
    std::string result;
    for (const auto& [name, property] : words) {
        if (!(options & property)) continue;
        if (!result.empty()) result += ',';
        result += name;
    }
    return result;
}

}  // namespace ekiden::sasl
