#include "tools/ekiden_queue_view.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr std::size_t bar_width = 30;
constexpr std::size_t longest_reason = 120;
constexpr std::chrono::seconds patience{1};
constexpr std::chrono::milliseconds redraw{100};

std::string shown(std::string_view address)
{
    return address.empty() ? "<>" : base::printable(mail::quote_address(address));
}

}  // namespace

std::string show_age(std::int64_t seconds)
{
    seconds = std::max<std::int64_t>(0, seconds);
    if (seconds < 60) return fmt::format("{}s", seconds);
    if (seconds < 3600) return fmt::format("{}m", seconds / 60);
    if (seconds < 2 * 86400) return fmt::format("{}h", seconds / 3600);
    return fmt::format("{}d", seconds / 86400);
}

std::string show_size(std::uint64_t bytes)
{
    constexpr std::string_view units = "KMGT";
    if (bytes < 1024) return fmt::format("{}", bytes);
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
    return value < 10 ? fmt::format("{:.1f}{}", value, units[unit]) : fmt::format("{:.0f}{}", value, units[unit]);
}

std::string show_entry(const QueueEntry& entry, std::int64_t now)
{
    std::string line =
        fmt::format("{:<15} {:<9} {:>4} {:>6}  {} -> ", entry.id, entry.queue_name + (entry.is_expired ? "#" : ""),
                    show_age(now - entry.arrived_at), show_size(entry.size), shown(entry.sender));
    line += entry.recipients.empty() ? "(nobody)" : shown(entry.recipients.front().address);
    if (entry.recipients.size() > 1) line += fmt::format(" (+{})", entry.recipients.size() - 1);
    const auto why =
        std::ranges::find_if(entry.recipients, [](const auto& recipient) { return !recipient.reason.empty(); });
    if (why != entry.recipients.end()) {
        line += ": " + base::printable(std::string_view(why->reason).substr(0, longest_reason));
        if (why->reason.size() > longest_reason) line += "...";
    }
    return line + "\n";
}

std::string show_progress(std::string_view doing, std::uint64_t done, std::uint64_t all)
{
    const std::size_t filled = all == 0 ? 0 : static_cast<std::size_t>(std::min(done, all) * bar_width / all);
    std::string bar(filled, '=');
    if (filled < bar_width) bar += '>';
    return fmt::format("{} [{:<{}}] {}/{}", doing, bar, bar_width, done, all);
}

Progress::Progress(std::string_view doing, std::uint64_t all)
    : doing_(doing), all_(all), is_terminal_(::isatty(STDERR_FILENO) == 1),
      next_at_(std::chrono::steady_clock::now() + patience)
{
}

Progress::~Progress()
{
    if (is_drawn_) std::fputs("\r\033[K", stderr);
}

void Progress::add(std::uint64_t count)
{
    done_ += count;
    const auto now = std::chrono::steady_clock::now();
    if (!is_terminal_ || now < next_at_) return;
    next_at_ = now + redraw;
    is_drawn_ = true;
    std::fprintf(stderr, "\r%s\033[K", show_progress(doing_, done_, all_).c_str());
    std::fflush(stderr);
}

}  // namespace ekiden::tools
