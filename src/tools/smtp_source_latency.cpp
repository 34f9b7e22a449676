#include "tools/smtp_source_latency.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>

namespace ekiden::tools {

void Latencies::add(Duration taken)
{
    const auto count = std::chrono::duration_cast<std::chrono::microseconds>(taken).count();
    microseconds_.push_back(
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(count, 0, std::numeric_limits<std::uint32_t>::max())));
}

std::string Latencies::report(Duration whole, std::string_view what)
{
    const double seconds = std::chrono::duration<double>(whole).count();
    const double rate = seconds > 0 ? static_cast<double>(microseconds_.size()) / seconds : 0;
    std::string text = fmt::format("{} {} in {:.3f} s, {:.0f} per second", microseconds_.size(), what, seconds, rate);
    if (microseconds_.empty()) return text;

    std::ranges::sort(microseconds_);
    text += "; ms:";
    std::string_view separator = " ";
    for (const std::size_t percent : {50, 90, 99, 100}) {
        // The smallest value that so many percent of all do not exceed.
        const std::size_t rank = (microseconds_.size() * percent + 99) / 100;
        fmt::format_to(std::back_inserter(text), "{}{}% {:.3f}", separator, percent, microseconds_[rank - 1] / 1000.0);
        separator = ", ";
    }
    return text;
}

}  // namespace ekiden::tools
