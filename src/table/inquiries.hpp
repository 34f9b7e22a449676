// What all lookups in one table that may block share, whoever names it: a lane of the pool, so that a table that hangs
// takes a few threads and no more; answers remembered for a second, because one message asks the same thing several times
// on its way (at RCPT, when it is queued, when it is routed); and counts. Trouble is never remembered. Any thread.
#pragma once

#include "base/clock.hpp"
#include "base/locked.hpp"
#include "net/blocking.hpp"
#include "table/table.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ekiden::table {

class Inquiries {
public:
    struct Counts {
        std::uint64_t found = 0, absent = 0, trouble = 0;   // what the table was asked, by outcome
        std::uint64_t remembered = 0;                       // answered without asking it
        std::chrono::milliseconds longest{0};               // one lookup, waiting for its turn included
    };

    // The one for this table; `key` tells apart what its options make of it.
    static std::shared_ptr<Inquiries> about(const std::string& spec, const std::string& key);

    std::optional<Answer> recall(std::string_view key);
    // On the pool, if there is one, else on the caller's thread.
    Task<Answer> ask(TablePtr table, std::string key, net::BlockingPool* pool);
    Counts counts() { return state_.lock()->counts; }

    // "socketmap:…" and its counts, for every such table that is in use now, sorted.
    static std::vector<std::pair<std::string, Counts>> all();

    explicit Inquiries(std::string spec) : spec_(std::move(spec)) {}

private:
    struct Remembered {
        std::optional<std::string> value;
        SteadyTime until;
    };
    struct State {
        std::unordered_map<std::string, Remembered> answers;
        std::size_t bytes = 0;
        Counts counts;
    };
    void keep(const std::string& key, const Answer& answer, SteadyTime asked_at);

    const std::string spec_;
    const std::shared_ptr<net::BlockingPool::Lane> lane_ = net::BlockingPool::make_lane(4);
    base::Locked<State> state_;
};

}  // namespace ekiden::table
