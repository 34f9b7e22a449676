// A command's side of the control socket: blocking, with a time limit. ErrorCode::unavailable means that no engine
// listens ("the mail system is down").
#pragma once

#include "base/result.hpp"
#include "control/request.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::control {

// Sends one request and hands the body to `on_body` piece by piece. An "error …" answer becomes ErrorCode::refused with
// the engine's text.
Result<void> call(const std::string& queue_directory, const std::vector<std::string>& words,
                  const std::function<void(std::string_view)>& on_body);
Result<std::string> call(const std::string& queue_directory, const std::vector<std::string>& words);

}  // namespace ekiden::control
