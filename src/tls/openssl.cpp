#include "tls/openssl.hpp"

#include <openssl/err.h>

#include <fmt/format.h>

#include <cstring>

namespace ekiden::tls {

namespace {
constexpr std::size_t most_errors = 12;
}

std::vector<std::string> take_openssl_errors()
{
    std::vector<std::string> lines;
    const char *file = "", *function = "", *data = "";
    int line = 0, flags = 0;
    while (const unsigned long error = ERR_get_error_all(&file, &line, &function, &data, &flags)) {
        if (lines.size() == most_errors) continue;
        char text[256];
        ERR_error_string_n(error, text, sizeof text);
        lines.push_back(fmt::format("{}:{}:{}:{}", text, file, line, (flags & ERR_TXT_STRING) ? data : ""));
    }
    return lines;
}

std::string take_openssl_reason(std::string_view otherwise)
{
    const unsigned long error = ERR_peek_error();
    std::string reason(otherwise);
    if (error != 0) {
        if (ERR_SYSTEM_ERROR(error)) reason = std::strerror(ERR_GET_REASON(error));
        else if (const char* text = ERR_reason_error_string(error)) reason = text;
    }
    ERR_clear_error();
    return reason;
}

}  // namespace ekiden::tls
