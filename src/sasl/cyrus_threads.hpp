// The threads in which libsasl2 blocks, and the steps that wait for one. Started when needed, never more than `most`;
// a step whose exchange has been given up meanwhile is not begun. Internal to cyrus_server.
#pragma once

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "sasl/cyrus_library.hpp"

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

class CyrusThreads {
public:
    struct Done {
        CyrusExchangePtr exchange;
        std::optional<CyrusReply> reply;    // nothing: it was not begun
    };

    explicit CyrusThreads(unsigned most);
    ~CyrusThreads();    // waits for the threads that are not inside the library, and for no other
    CyrusThreads(const CyrusThreads&) = delete;
    CyrusThreads& operator=(const CyrusThreads&) = delete;

    void submit(CyrusExchangePtr exchange, std::optional<Secret> response);
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
