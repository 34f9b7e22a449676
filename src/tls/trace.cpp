#include "tls/trace.hpp"

#include <fmt/format.h>

namespace ekiden::tls {

namespace {

int log_index()
{
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

void on_state(const SSL* ssl, int where, int value)
{
    const auto* log = static_cast<const Logger*>(SSL_get_ex_data(ssl, log_index()));
    if (!log) return;
    if (where & SSL_CB_LOOP) {
        log->info("{}:{}",
                  (where & SSL_ST_ACCEPT)    ? "SSL_accept"
                  : (where & SSL_ST_CONNECT) ? "SSL_connect"
                                             : "unknown",
                  SSL_state_string_long(ssl));
    } else if (where & SSL_CB_ALERT) {
        const bool is_read = (where & SSL_CB_READ) != 0;
        // The farewell of a session is no news.
        if ((value & 0xff) == SSL_AD_CLOSE_NOTIFY) return;
        log->info("SSL3 alert {}:{}:{}", is_read ? "read" : "write", SSL_alert_type_string_long(value),
                  SSL_alert_desc_string_long(value));
    }
}

}  // namespace

void trace_states(SSL* ssl, const Logger& log)
{
    SSL_set_ex_data(ssl, log_index(), const_cast<Logger*>(&log));
    SSL_set_info_callback(ssl, on_state);
}

void dump_bytes(const Logger& log, std::string_view what, std::string_view bytes, std::size_t asked)
{
    if (bytes.empty()) return;
    log.info("{} ({} bytes => {} (0x{:X}))", what, asked, bytes.size(), bytes.size());
    for (std::size_t at = 0; at < bytes.size(); at += 16) {
        const std::string_view row = bytes.substr(at, 16);
        std::string line = fmt::format("{:04x}", at), text;
        for (std::size_t i = 0; i < 16; ++i) {
            const char separator = i == 8 && row.size() > 8 ? '|' : ' ';
            if (i == 8) text += ' ';
            if (i >= row.size()) {
                line += "   ";
                text += ' ';
                continue;
            }
            const auto byte = static_cast<unsigned char>(row[i]);
            fmt::format_to(std::back_inserter(line), "{}{:02x}", separator, byte);
            text += byte >= 32 && byte < 127 ? static_cast<char>(byte) : '.';
        }
        log.info("{}  {}", line, text);
    }
}

}  // namespace ekiden::tls
