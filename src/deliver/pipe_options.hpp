// What a pipe(8) service in master.cf says: attributes and the command with its macros. Pure.
#pragma once

#include "config/settings.hpp"
#include "deliver/agent.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::deliver {

struct PipeOptions {
    std::string root;                       // chroot=
    std::string directory, user, group, null_sender = "MAILER-DAEMON", line_end = "\n";
    std::uint64_t size_limit = 0;
    std::vector<std::string> command;
    bool ends_with_blank_line = false;      // B
    bool has_delivered_to = false;          // D
    bool has_from_line = false;             // F
    bool has_original_to = false;           // O
    bool has_return_path = false;           // R
    bool is_final = false;                  // X
    bool folds_domain = false;              // h
    bool quotes_addresses = false;          // q
    bool folds_local = false;               // u
    bool quotes_dots = false;               // .
    bool quotes_from = false;               // >

    // Throws config::ConfigError with the service's file and line.
    static PipeOptions from(const config::ServiceSpec& service);
};

// The command's arguments for one delivery: an argument that speaks of recipients comes once for each.
std::vector<std::string> pipe_arguments(const PipeOptions& options, const Job& job,
                                        std::string_view recipient_delimiter);

// The first macro of the command that there is none of; "" when all are known.
std::string unknown_macro(const PipeOptions& options);

// What stands before the content; every line ends as the service says.
std::string pipe_prefix(const PipeOptions& options, const Job& job);

}  // namespace ekiden::deliver
