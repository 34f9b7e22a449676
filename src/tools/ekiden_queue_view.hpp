// How `ekiden queue` shows messages and how far it has come.
#pragma once

#include "tools/ekiden_queue_filter.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace ekiden::tools {

// "4gTk8R1dQhz1  deferred    2d    1.2K  a@b.example -> c@d.example (+3): connect to d.example…", one line.
std::string show_entry(const QueueEntry& entry, std::int64_t now);
// "59s", "2h", "3d"; "1.2K", "35M".
std::string show_age(std::int64_t seconds);
std::string show_size(std::uint64_t bytes);
// "[=====>    ] 12300/100000", at most 60 columns.
std::string show_progress(std::string_view doing, std::uint64_t done, std::uint64_t all);

// A bar on standard error: only on a terminal, only after a second, drawn ten times a second at most.
class Progress {
public:
    Progress(std::string_view doing, std::uint64_t all);
    ~Progress();    // wipes it away
    Progress(const Progress&) = delete;
    void add(std::uint64_t count);

private:
    const std::string doing_;
    const std::uint64_t all_;
    const bool is_terminal_;
    std::uint64_t done_ = 0;
    std::chrono::steady_clock::time_point next_at_;
    bool is_drawn_ = false;
};

}  // namespace ekiden::tools
