// The file in which answers outlive a restart: a line for each answer, the last one about an address counts. A line that
// is torn or damaged is left out when the file is read; nothing else depends on it. Blocks: for threads that may.
//
//   ekiden-verify 1
//   CHECK cleaned SECONDS
//   CHECK deliverable SECONDS ADDRESS TEXT        or deferred, undeliverable; seconds since 1970
//
// CHECK is the CRC-32C of what follows it, in eight hexadecimal digits; control bytes, blanks and '%' in the address and
// the text are %XX.
#pragma once

#include "base/result.hpp"
#include "verify/cache.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace ekiden::verify {

std::string answer_line(std::string_view address, const Answer& answer);
std::string cleaned_line(WallTime at);

struct JournalReader {
    std::function<void(std::string address, Answer answer)> on_answer;
    std::function<void(WallTime at)> on_cleaned;
    std::size_t lines = 0, damaged = 0;

    // What the file holds; one without the first line is no journal of ours (syntax).
    Result<void> read(std::string_view bytes);
};

// Appends; makes the file where there is none.
Result<void> append_journal(const std::string& path, std::string_view lines);
// The whole file anew: the old one or this, never half.
Result<void> replace_journal(const std::string& path, std::string_view lines);
// not_found where there is none yet. refused: not a plain file of ours.
Result<std::string> load_journal(const std::string& path);

// Where address_verify_map = TYPE:PATH keeps its answers: at PATH, in this format, whatever TYPE says of those that
// Postfix keeps in files. Nothing: in memory only (an empty value, internal:). Tables elsewhere: refused.
Result<std::optional<std::string>> journal_path(std::string_view map);

}  // namespace ekiden::verify
