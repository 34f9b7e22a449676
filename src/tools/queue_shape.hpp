// The table of qshape(1): how many messages (or recipients) of each domain wait in the queue, by age.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tools {

// What the table (and who looks for messages by queue) needs of one line of `postqueue -j`.
struct QueuedMessage {
    std::string queue_name, sender;
    std::int64_t arrival_time = 0;          // seconds
    std::vector<std::string> recipients;
    std::string id;
};
// Nothing where the line is none of postqueue's.
std::optional<QueuedMessage> parse_queued(std::string_view json_line);

struct ShapeOptions {
    bool by_sender = false, has_parents = false, is_linear = false;
    std::size_t min_subdomains = 5, buckets = 10, width = 80;
    std::int64_t first_minutes = 5;
    std::size_t most_rows = 0;              // 0: all
};

class QueueShape {
public:
    explicit QueueShape(ShapeOptions options);
    void add(const QueuedMessage& message, std::int64_t now);
    std::string table() const;

private:
    using Counts = std::vector<std::uint64_t>;   // the total, then the buckets
    void count(std::string_view address, std::size_t bucket);
    std::map<std::string, Counts> with_parents() const;

    ShapeOptions options_;
    std::vector<std::int64_t> limits_;           // minutes; the last bucket has none
    std::map<std::string, Counts> domains_;
    Counts total_;
};

}  // namespace ekiden::tools
