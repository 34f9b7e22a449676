// ekiden passwd: the pieces that can be tried without a terminal. The file's grammar is in sasl/password_file.hpp.
#pragma once

#include "base/result.hpp"
#include "sasl/secret.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace ekiden::tools {

// `content` with the name's line replaced, or a new line behind the last; other lines stay as they are, but a second
// line of the name, which could never count, goes. Pure.
std::string with_login(std::string_view content, std::string_view name, std::string_view verifier);

// `content` without the name's lines; nothing if it has none. Pure.
std::optional<std::string> without_login(std::string_view content, std::string_view name);

// Changes the file under a lock on its folder: what `edit` makes of the old content (empty: no file yet) takes its
// place in one step and is on disk when this returns. A new file gets mode 0640 and the group, an old one keeps what it
// has. When `edit` answers trouble nothing changes. Blocks while another writer works.
Result<void> edit_password_file(const std::string& path, std::optional<gid_t> group,
                                const std::function<Result<std::string>(std::string_view)>& edit);

// Asks twice on the terminal, without echo. The terminal is as before when this returns, also after a signal.
Result<sasl::Secret> ask_password(const std::string& name);
// The first line of a descriptor (a pipe), byte by byte, so that what follows stays for others.
Result<sasl::Secret> read_password(int fd);

}  // namespace ekiden::tools
