// What main.cf and master.cf say that is probably not meant, and what this release cannot do. Neither changes a
// setting. Every text names file and line and is complete. Thread: any.
#pragma once

#include "config/settings.hpp"

#include <vector>

namespace ekiden::config {

// Likely mistakes, as warnings: unknown names (with the nearest known one), comments and full-width spaces that became
// part of a value, `name = value` swallowed as a continuation line, obsolete names, restrictions that do not exist, -o
// entries without effect, login and TLS settings that cannot work (lint_services.hpp; those are fatal where Postfix's
// server would die of them).
std::vector<Problem> lint(const Settings& settings);

// Names that values mention and nobody defines: they count as empty. In Postfix's words; part of lint() too.
std::vector<Problem> find_undefined(const Settings& settings);

// What is written but not in this release: fatal where to go on without it would give less than was written (TLS that
// is demanded, a content filter, milters), else a warning; one warning for all parameters of the same reason.
// Considers main.cf and the -o entries of master.cf. The daemon prints all, and does not start if one is fatal.
std::vector<Problem> find_unsupported(const Settings& settings);

}  // namespace ekiden::config
