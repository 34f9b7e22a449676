// The answer for a person and for a program. Pure, but for the files that Places reads.
#pragma once

#include "explain/findings.hpp"

#include <string>

namespace ekiden::explain {

std::string as_text(const Findings& findings, Places& places);
std::string as_json(const Findings& findings, Places& places);    // one document on one line

}  // namespace ekiden::explain
