// The command line of `ekiden queue`. Pure.
#pragma once

#include "queue/store.hpp"
#include "tools/ekiden_queue_filter.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tools {

enum class QueueVerb : std::uint8_t { list, hold, release, remove, requeue, flush };

// What a verb is called and says.
struct QueueVerbRow {
    QueueVerb verb;
    std::string_view word;       // on the command line
    std::string_view control;    // in a request to the engine; "" = none
    queue::Change change;        // of what changes something
    std::string_view doing, done;    // "deleting", "deleted"
    bool may_take(std::string_view queue_name) const;    // does it mean anything for a message in this queue?
};
const QueueVerbRow* find_queue_verb(std::string_view word);
const QueueVerbRow& row_of(QueueVerb verb);

enum class QueueSort : std::uint8_t { none, age, size, sender, recipients, id };

struct QueueOptions {
    QueueVerb verb = QueueVerb::list;
    QueueFilter filter;
    std::string directory;
    bool is_dry = false, is_json = false, is_all = false, wants_help = false;
    std::size_t limit = 0;       // 0 = none
    QueueSort sort = QueueSort::none;
    bool is_reversed = false;    // --sort -age
};

extern const char queue_usage[];

// An error's text says what is wrong. `words` is what follows "queue".
Result<QueueOptions> parse_queue_options(const std::vector<std::string>& words);

}  // namespace ekiden::tools
