// The TLS of one service over time: the context in force, and a new one when the certificate files were renewed.
//
// Files are looked at when a handshake begins, at most once in a few seconds, on the pool and never on an event loop; the
// handshake that finds the time has come waits for it, so that a server that is seldom used does not show yesterday's
// certificate. New files that do not load leave the old ones in force, with one warning; so does a missing file. What
// could not be had at the start is tried again in the same way. Thread: any.
#pragma once

#include "base/clock.hpp"
#include "base/locked.hpp"
#include "base/log.hpp"
#include "tls/context.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

namespace ekiden::tls {

class Server {
public:
    static constexpr std::chrono::seconds look_interval{3};

    // Reads the files; blocking. Trouble is logged, and leaves context() empty: STARTTLS answers 454 then.
    static std::shared_ptr<Server> make(ServerOptions options, Logger log);

    const ServerOptions& options() const { return options_; }
    // What is in force now; null: TLS cannot be had. The server outlives the await.
    Task<ContextPtr> context();
    // The same without a look at the files.
    ContextPtr current() const;
    // Looks now, whatever the time. Blocking.
    void look();

    Server(ServerOptions options, Logger log) : options_(std::move(options)), log_(std::move(log)) {}

private:
    struct Active {
        ContextPtr context;
        std::string state;          // of the files, before they were read
    };
    void load(Active& active, bool is_first);

    const ServerOptions options_;
    const Logger log_;
    mutable base::Locked<Active> active_;
    std::atomic<std::int64_t> look_at_{0};      // steady clock, nanoseconds
};
using ServerPtr = std::shared_ptr<Server>;

}  // namespace ekiden::tls
