// smtp-source's connections: moves bytes between sockets and SourceSessions until the campaign is over.
//
// A rejection or a lost connection ends the run with status 1, unless rejections are tolerated. Thread: one.
#pragma once

#include "tools/smtp_source_latency.hpp"
#include "tools/smtp_source_loop.hpp"
#include "tools/smtp_source_session.hpp"
#include "tools/smtp_source_setup.hpp"
#include "tools/smtp_source_tls.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ekiden::tools {

struct SourceSettings {
    bool shows_counter = false;
    bool is_verbose = false;
    bool shows_latency = false;
    int connect_tries = 1;
    int rate = 0;  // messages per second, whatever the answers take; 0: each session goes on when it can
    int window_size = 0;
    std::chrono::seconds fixed_delay{0};
    std::chrono::seconds random_delay{0};
};

class SourceClient;

class SourceRun {
public:
    SourceRun(Campaign& campaign, const SourceSettings& settings, std::vector<SocketAddress> addresses,
              Console& console);
    ~SourceRun();

    // Wants campaign.tls; before send_all().
    Result<void> prepare_tls();
    // Exit status, after the last message or the first fault.
    int send_all(int sessions);

private:
    friend class SourceClient;
    void fail_run(std::string_view text);
    void message_sent();
    void message_delivered(EventLoop::Duration taken);
    void session_ended();
    // False, and the run over, when it cannot be written.
    bool flush_ledger();
    EventLoop::Duration delay_between_messages() const;
    // When the message just taken from the campaign is to begin; in the past when the sessions cannot keep up.
    EventLoop::Time next_start();

    Campaign& campaign_;
    const SourceSettings& settings_;
    std::vector<SocketAddress> addresses_;
    std::size_t address_ = 0;  // the one that works; all sessions use it
    Console& console_;
    EventLoop loop_;
    std::vector<std::unique_ptr<SourceClient>> clients_;
    int sessions_left_ = 0;
    EventLoop::Time begun_;
    std::int64_t starts_ = 0;
    int messages_sent_ = 0;
    Latencies latencies_;
    tls::UniqueContext tls_client_;
};

}  // namespace ekiden::tools
