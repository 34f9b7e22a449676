// What main.cf and master.cf say that is probably not meant, and what this release cannot do. Neither changes a
// setting. Every text names file and line and is complete. Thread: any.
#pragma once

#include "config/settings.hpp"

#include <vector>

namespace ekiden::config {

// Likely mistakes, as warnings (what is looked for: lint_parts.hpp); fatal where Postfix's server would die of them. In
// the order of the files. Each names the line of the very word, and what to write instead. Reads files, so it may block.
std::vector<Problem> lint(const Settings& settings);

// Characters that only look like those of the configuration: full-width spaces and letters, no-break spaces, typographic
// quotation marks, a byte order mark. Part of lint(), and of use where main.cf cannot be loaded because of them.
std::vector<Problem> find_odd_characters(const std::string& directory);

// Names that values mention and nobody defines: they count as empty. In Postfix's words; part of lint() too.
std::vector<Problem> find_undefined(const Settings& settings);

// Names that Postfix does not know either, in its words without a line, in the order of the file: `postfix status` says
// them as its scripts do.
std::vector<Problem> find_unused(const Settings& settings);

// What is written but not in this release: fatal where to go on without it would give less than was written (TLS that
// is demanded, a content filter, milters), else a warning; one warning for all parameters of the same reason.
// Considers main.cf and the -o entries of master.cf. The daemon prints all, and does not start if one is fatal.
std::vector<Problem> find_unsupported(const Settings& settings);

}  // namespace ekiden::config
