#include "mime/date.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <ctime>

namespace ekiden::mime {
namespace {

constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

std::string format_date(WallTime time)
{
    // Thousands of messages share a second: the text is made once for each.
    thread_local std::time_t last = -1;
    thread_local std::string text;
    const std::time_t seconds = base::to_seconds(time);
    if (seconds == last) return text;

    std::tm tm{};
    localtime_r(&seconds, &tm);
    const long minutes = tm.tm_gmtoff / 60;
    text = fmt::format(
        "{}, {:2} {} {:04} {:02}:{:02}:{:02} {}{:02}{:02} ({})", days[static_cast<std::size_t>(tm.tm_wday)], tm.tm_mday,
        months[static_cast<std::size_t>(tm.tm_mon)], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
        minutes < 0 ? '-' : '+', std::labs(minutes) / 60, std::labs(minutes) % 60, tm.tm_zone ? tm.tm_zone : "UTC");
    last = seconds;
    return text;
}

}  // namespace ekiden::mime
