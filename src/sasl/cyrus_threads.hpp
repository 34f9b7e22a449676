// The threads in which libsasl2 blocks, and the steps that wait for one. Started when needed, never more than `most`;
// a step whose exchange has been given up meanwhile is not begun. And the loop's judgement whether it needs them at all:
// a step that only computes is done before another thread has woken up. Internal to cyrus_server.
#pragma once

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "sasl/cyrus_library.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace ekiden::sasl {

// What threads and loop share of an exchange. `login` belongs to whoever has the exchange at the moment: a thread from
// submit() until the step is in take_done(), the loop otherwise.
struct CyrusExchange {
    std::uint64_t connection = 0;
    std::uint32_t id = 0;
    std::unique_ptr<CyrusLogin> login;
    std::atomic<bool> is_given_up = false;    // its client is gone, or has been told to try later
    std::atomic<bool> is_begun = false;       // this step has a thread
    // The loop's: in which of its lists the exchange stands, where, and since when.
    enum class Place { nowhere, idle, at_work } place = Place::nowhere;
    std::list<std::shared_ptr<CyrusExchange>>::iterator at{};
    SteadyTime since{};
};
using CyrusExchangePtr = std::shared_ptr<CyrusExchange>;

// A step through the library, which may block; nothing of it is left on this thread's stack.
CyrusReply take_cyrus_step(CyrusLogin& login, std::optional<Secret> response);

// Whether steps have been so short of late that the loop may take them itself. Two slow ones in a row say no, a hundred
// short ones say yes again.
class CyrusPace {
public:
    void note(std::chrono::nanoseconds took)
    {
        slowness_ = took > longest_short ? std::min(slowness_ + 32, most) : std::max(slowness_ - 1, 0);
    }
    void note_hung() { slowness_ = most; }
    bool is_quick() const { return slowness_ < 48; }

private:
    static constexpr std::chrono::milliseconds longest_short{2};
    static constexpr int most = 148;
    int slowness_ = 0;
};

class CyrusThreads {
public:
    struct Done {
        CyrusExchangePtr exchange;
        std::optional<CyrusReply> reply;    // nothing: it was not begun
        std::chrono::nanoseconds took{};
    };
    using Begun = std::list<SteadyTime>;    // when steps that have a thread began, in any order

    explicit CyrusThreads(unsigned most);
    ~CyrusThreads();    // waits for the threads that are not inside the library, and for no other
    CyrusThreads(const CyrusThreads&) = delete;
    CyrusThreads& operator=(const CyrusThreads&) = delete;

    void submit(CyrusExchangePtr exchange, std::optional<Secret> response);
    // A thread of the caller's that has been in the library since `begun_at` counts as one of these until it gives back
    // what came of that.
    Begun::iterator adopt(SteadyTime begun_at);
    void give_back(Begun::iterator adopted, Done done);
    std::vector<Done> take_done();
    int wake_fd() const;         // readable when there may be something to take
    std::size_t waiting() const;
    // No thread is free, and each has been in one step for longer than `limit`.
    bool all_hang(std::chrono::milliseconds limit) const;

private:
    struct Shared;
    static void work(const std::shared_ptr<Shared>& shared);
    std::shared_ptr<Shared> shared_;
};

}  // namespace ekiden::sasl
