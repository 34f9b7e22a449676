// Strings as JSON, by the name that the commands know.
#pragma once

#include "base/json_text.hpp"

namespace ekiden::tools {

using base::json_text;

}  // namespace ekiden::tools
