// Commands of users and of pipe(8) services: when a shell is needed, what goes into the environment, what the exit status
// means for the mail. Pure, but for run().
#pragma once

#include "deliver/agent.hpp"
#include "deliver/helper/client.hpp"
#include "deliver/helper/protocol.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ekiden::deliver {

using Environment = std::vector<std::pair<std::string, std::string>>;

// The words of a command line that needs no shell: no characters that a shell treats in its own way, no built-in command.
std::optional<std::vector<std::string>> split_command(std::string_view line);
// What `line` is run as, with local_command_shell in front when that is set. Empty: by the helper's /bin/sh.
std::vector<std::string> command_arguments(std::string_view line, std::string_view shell);

// Characters that are not in `filter` become '_' (command_expansion_filter).
std::string mask(std::string_view value, std::string_view filter);
// $name, ${name?…} in `text` with these values; nothing in a value is expanded again. Throws config::ExpandError.
std::string expand_names(std::string_view text, const Environment& values, std::string_view filter);

// export_environment, and PATH.
Environment exported_environment(const config::Settings& settings);
// CLIENT_… and SASL_… as far as they are known.
void add_client(Environment& environment, const mail::Origin& origin, std::string_view filter);

// The fate that a command's end means: <sysexits.h>, or the enhanced status code at the start of its output. `name` is
// what messages call the command; `program` ("local", "pipe") speaks in them; `success` is the text of a success.
Outcome command_outcome(const HelperAnswer& answer, std::string_view name, std::string_view program,
                        std::string success);

// Runs it with the content of `job`. Complete but for `relay` and `recipient`.
Task<Outcome> run_command_for(Helper& helper, const Job& job, HelperRequest request, std::string name,
                              std::string program, std::string success, Logger logger);

}  // namespace ekiden::deliver
