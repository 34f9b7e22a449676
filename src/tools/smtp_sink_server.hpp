// smtp-sink's sockets: accepts connections and moves bytes between them and SinkSessions.
// Thread: one.
#pragma once

#include "tools/smtp_sink_session.hpp"
#include "tools/smtp_source_loop.hpp"
#include "tools/smtp_source_setup.hpp"
#include "tools/smtp_source_tls.hpp"

#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace ekiden::tools {

struct SinkServerSettings {
    bool shows_counters = false;
    bool is_verbose = false;
    std::size_t most_connections = 256;
    long quit_after_sessions = 0;  // 0: never
    long quit_after_messages = 0;
    std::chrono::seconds step_limit{100};
    int window_size = 0;
    tls::UniqueContext tls;               // absent: no TLS
    bool begins_with_tls = false;         // with the connection, without STARTTLS
};

// One listening socket for each address; fails if none can be opened.
Result<std::vector<Fd>> open_listeners(const std::vector<SocketAddress>& addresses, int backlog, int window_size);

class SinkConnection;
class SinkListener;

class SinkServer {
public:
    SinkServer(const SinkSettings& settings, const SinkServerSettings& server_settings, std::vector<Fd> listeners,
               Console& console);
    ~SinkServer();

    int run();  // exit status

private:
    friend class SinkConnection;
    friend class SinkListener;
    using Connections = std::list<std::unique_ptr<SinkConnection>>;

    void accepted(Fd socket, const SocketAddress& client);
    void ended(Connections::iterator place);  // destroys the connection
    void count(int messages, int quits, int sessions);
    bool is_full() const { return connections_.size() >= server_settings_.most_connections; }

    const SinkSettings& settings_;
    const SinkServerSettings& server_settings_;
    Console& console_;
    EventLoop loop_;
    std::vector<std::unique_ptr<SinkListener>> listeners_;
    Connections connections_;
    bool needs_client_address_ = false;
    long sessions_ = 0;
    long quits_ = 0;
    long messages_ = 0;
};

}  // namespace ekiden::tools
