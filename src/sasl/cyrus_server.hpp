// The loop of the process that holds libsasl2: takes requests of the engine's cores from a few connections, walks them
// through the library, and writes the answers back. As long as the library answers at once (a local database), the loop
// takes the steps itself: no other thread has to wake up. When steps take long (saslauthd, LDAP), threads take them, and the
// loop only reads and writes. A step of its own that hangs holds up the others for some 20 to 40 ms: the thread that
// called run() watches, and gives the loop to a new thread.
//
// Bounded everywhere: connections, bytes of a line, answers not yet taken, exchanges under way, threads, requests that
// wait for a thread and how long they wait. A step that takes longer than `step_limit` is answered as *try later* while
// its thread goes on waiting for the library (a saslauthd that hangs); when all threads hang so and requests wait, run()
// ends with `stuck`, for nothing but the end of the process gets them back. An unfinished exchange is forgotten after
// `idle_limit`, and the one that has been idle longest makes room when there are too many: guessers cannot keep others out.
// Responses are wiped when they have been used.
#pragma once

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/log.hpp"
#include "sasl/cyrus_library.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace ekiden::sasl {

struct CyrusServerOptions {
    std::vector<Mechanism> mechanisms;
    std::function<std::unique_ptr<CyrusLogin>(AuthRequest)> begin = begin_cyrus_login;    // any thread
    Logger log;    // for what is wrong with a client of ours; the rest goes into its answers
    std::size_t most_connections = 256;
    std::size_t most_exchanges = 4096;      // that wait for their client
    std::size_t most_waiting = 1024;        // requests that wait for a thread
    unsigned most_threads = 64;             // they are started when needed
    std::chrono::milliseconds wait_limit = std::chrono::seconds(10);    // for a thread
    std::chrono::milliseconds step_limit = std::chrono::seconds(20);
    std::chrono::milliseconds idle_limit = std::chrono::seconds(330);   // a little longer than smtpd_timeout
    std::chrono::milliseconds drain_limit = std::chrono::seconds(10);
};

class CyrusServer {
public:
    enum class End { drained, stuck };

    // `listener`: bound and listening. `stop`: becomes readable when the server should take no more connections, finish
    // what is under way (drain_limit) and return.
    CyrusServer(Fd listener, Fd stop, CyrusServerOptions options);
    ~CyrusServer();    // threads that are still in the library are left behind: the process ends next
    CyrusServer(const CyrusServer&) = delete;
    CyrusServer& operator=(const CyrusServer&) = delete;

    End run();

private:
    class State;
    std::shared_ptr<State> state_;    // with the threads that are the loop, or have been
};

}  // namespace ekiden::sasl
