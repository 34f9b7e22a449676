// link: base
// Any line becomes one JSON object on one line: quotes and brackets balance, nothing below 0x20 is left, the whole is bounded.
#include "base/log_json.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace ekiden::base;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string record = json_record(
        {.when = {}, .host = "mail", .tag = "postfix/smtpd", .pid = 7, .level = LogLevel::info, .text = text});
    if (record.front() != '{' || record.back() != '}' || record.size() > 1024 + 3 * 6 * max_json_message) std::abort();
    bool is_inside = false;
    for (std::size_t i = 0; i < record.size(); ++i) {
        const auto c = static_cast<unsigned char>(record[i]);
        if (c < 0x20) std::abort();
        if (is_inside && c == '\\') ++i;
        else if (c == '"') is_inside = !is_inside;
        else if (!is_inside && c != ',' && c != ':' && c != '{' && c != '}' && c != '.' && (c < '0' || c > '9') &&
                 (c < 'a' || c > 'z'))
            std::abort();
    }
    if (is_inside) std::abort();
    return 0;
}
