// Address verification: is mail to this address deliverable? The answer comes from a cache; what is not there, or is due
// for renewal, is asked by a probe: a message of purpose "probe", which goes through the queue and the delivery agents like
// any other, up to the point where they would deliver it.
//
// ask() never waits: whoever needs the answer asks again after a while. Probes under way are limited
// (address_verify_pending_request_limit); past that, unknown addresses are "try later". A lost probe is asked anew after a
// while, and one that cannot be queued is an answer too: try later. Shared by all sessions; ask() and learn() on any
// thread, never blocking.
#pragma once

#include "config/settings.hpp"
#include "net/blocking.hpp"
#include "net/gate.hpp"
#include "rewrite/intake.hpp"
#include "verify/cache.hpp"
#include "verify/probe_sender.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

namespace ekiden::verify {

class Verifier : public std::enable_shared_from_this<Verifier> {
public:
    // Probes are made on `home`; files are written by `pool`. Both outlive it.
    Verifier(net::Executor home, net::BlockingPool& pool);

    // A settings snapshot, the first one or a new one. Reads the file of answers where it is another one than before:
    // blocks, so never on an event loop. Throws config::ConfigError for an address_verify_map that cannot be.
    void use(config::SettingsPtr settings, std::shared_ptr<const rewrite::Intake> intake);
    // What use() would throw for.
    static void check(const config::Settings& settings);

    struct Known {
        enum class State : std::uint8_t { deliverable, deferred, undeliverable, pending } state = State::pending;
        std::string text;
    };
    Known ask(const std::string& address);
    // What became of a probe. `answer.at` is set here.
    void learn(const std::string& address, Standing standing, std::string text);

    Task<void> stop();    // waits for probes that are being queued, and writes what is left to write. On any core.

private:
    struct Options {
        Logger log;
        ProbeSender sender;
        std::string map;                        // as configured, for the log
        std::optional<std::string> path;        // of the journal
        std::chrono::seconds cleanup_interval{0};
        std::shared_ptr<const rewrite::Intake> intake;
    };
    using OptionsPtr = std::shared_ptr<const Options>;

    OptionsPtr options() const;
    void load(const Options& options);
    void start_probe(std::string address);
    static Task<void> send_probe(std::shared_ptr<Verifier> self, std::string address, net::Gate::Pass pass);
    void clean_if_due();
    void clean(OptionsPtr options);
    void write_later();                         // with `lock_` held
    void write_pending();

    const net::Executor home_;
    net::BlockingPool& pool_;
    net::Gate gate_;

    mutable std::mutex lock_;                   // everything below; held for look-ups in memory only
    OptionsPtr options_;
    Cache cache_;
    WallTime cleaned_at_{};
    bool is_cleaning_ = false;
    std::condition_variable has_cleaned_;
    std::string unwritten_;                     // lines for the journal
    std::size_t lines_in_file_ = 0;
    bool is_writing_ = false;
    bool has_complained_ = false;               // of a file that cannot be written; once until it works again
    std::mutex file_lock_;                      // one writer at a time; never held with `lock_`
};

}  // namespace ekiden::verify
