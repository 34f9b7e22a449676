// What `postfix check` found, as lines for people and as JSON for programs (docs/check.md). Pure; thread: any.
#pragma once

#include "check/relay_proof.hpp"
#include "config/settings.hpp"

#include <string>

namespace ekiden::daemon {

// {"severity": "warning", "file": …, "line": …, "parameter": …, "text": …, "advice": …}, without a newline. What is not
// known is null. The text is without the place and the advice, which have members of their own.
std::string finding_as_json(const config::Problem& problem);
// {"severity": "proof", "service": …, "verdict": "closed", "steps": […], …}
std::string proof_as_json(const check::RelayProof& proof);
// The verdict on one line, and a line for each step, indented.
std::string proof_as_text(const check::RelayProof& proof);

}  // namespace ekiden::daemon
