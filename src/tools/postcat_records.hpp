// A queued message as the records that postcat(1) prints. Scripts read its lines, so their names, order, numbers and
// offsets are those of a Postfix queue file, although nothing is stored in that shape: each record counts a type byte, a
// length byte and its text. Pure.
#pragma once

#include "mail/envelope.hpp"
#include "mail/maildrop.hpp"
#include "queue/store.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tools {

struct QueueRecord {
    char type;              // 'A' attribute, 'S' sender, 'R' recipient…
    std::string name;       // "named_attribute"; empty: the text stands alone
    std::string text;       // as shown
    std::size_t size;       // bytes it would take in a file
};

std::vector<QueueRecord> envelope_records(const queue::Loaded& message);
std::vector<QueueRecord> envelope_records(const mail::Maildrop& header, WallTime written_at);
// What stands behind the content.
std::vector<QueueRecord> extracted_records(const queue::Loaded& message);

struct PrintOptions {
    bool shows_envelope = false, shows_header = false, shows_body = false;
    bool shows_offsets = false;        // -o
    bool shows_types = false;          // -d
    bool is_verbose = false;           // -v: content lines are named too
    std::size_t skip = 0;              // -s: records before this offset are not shown
};

// Prints one message; content comes in pieces of any size through content().
class RecordPrinter {
public:
    using Out = std::function<void(std::string_view)>;
    RecordPrinter(PrintOptions options, std::string name, Out out)
        : options_(options), name_(std::move(name)), out_(std::move(out))
    {
    }
    void envelope(const std::vector<QueueRecord>& records);
    void content(std::string_view bytes);
    void finish(const std::vector<QueueRecord>& extracted = {});

private:
    void show(const std::vector<QueueRecord>& records);
    void marker(std::string_view what, char type);
    void record(const QueueRecord& record);
    void line(std::string_view text);

    const PrintOptions options_;
    const std::string name_;
    const Out out_;
    std::string line_;                  // begun, without its end
    std::size_t offset_ = 0;
    enum class Part { header, body } part_ = Part::header;
    bool is_first_line_ = true;
};

}  // namespace ekiden::tools
