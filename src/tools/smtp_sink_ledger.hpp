// smtp-sink's half of the ledger (tools/smtp_source_ledger.hpp): finds the mark of a message while it comes in, and compares
// what was sent with what arrived (--ledger-check). Pure. Thread: any.
#pragma once

#include "tools/smtp_source_ledger.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tools {

// Reads one message as it comes, in pieces of any size; keeps no more than the beginning of one header line.
class LedgerScan {
public:
    void add(std::string_view wire_bytes);
    // "run/sequence"; empty: the header has no mark that can be read.
    const std::string& id() const { return id_; }
    std::string digest() { return digest_ ? digest_->hex() : std::string(); }

private:
    void end_header_line();

    std::string line_;
    bool is_header_ = true;
    std::string id_;
    std::optional<ContentDigest> digest_;
};

struct LedgerFinding {
    std::string_view what;     // "lost", "duplicate", "changed", "unasked"
    std::string id, recipient; // "run/sequence"
    std::string remark;        // "arrived 2 times"; often empty
    std::string text() const;  // "duplicate run/sequence recipient (arrived 2 times)"
};

struct LedgerReport {
    std::size_t acknowledged = 0;        // copies: one for each recipient of each message
    std::size_t sound = 0;               // of these: arrived exactly once and unchanged
    std::size_t lost = 0, duplicate = 0, changed = 0;
    std::size_t unasked = 0;             // arrived though refused, or never sent to this recipient
    std::size_t unanswered = 0;          // the connection broke before the answer: may have arrived once
    std::size_t unanswered_arrived = 0;
    std::size_t other_runs = 0;          // arrived from runs that are not in the ledger of what was sent
    std::size_t unmarked = 0;
    std::vector<LedgerFinding> findings;

    bool is_proof() const { return acknowledged > 0 && sound == acknowledged && findings.empty(); }
    std::string summary() const;
    std::string json() const;  // one object on one line, the findings in it
};

// The texts of the two files. A last line that was cut off by a crash does not count; any other line that cannot be read is
// an error that names it.
Result<LedgerReport> check_ledgers(std::string_view sent, std::string_view received);

}  // namespace ekiden::tools
