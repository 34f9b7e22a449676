// Listening sockets: bind or adopt, accept on every core, bounded, stopped in order.
#pragma once

#include "base/fd.hpp"
#include "net/cores.hpp"
#include "net/stream.hpp"

#include <functional>

namespace ekiden::net {

// A bound, listening, non-blocking socket. The first of an endpoint is refused (EADDRINUSE) where anybody listens already,
// another instance of ours included, which would take every other connection; a `further` one shares the connections with it
// (SO_REUSEPORT: one for each core). IPv6 sockets are v6-only. Made by the master as root, handed to the engine.
enum class Share { first, further };
Result<Fd> listen_tcp(const Endpoint& endpoint, int backlog, Share share = Share::first);
Result<Fd> listen_unix(const std::string& path, int backlog, mode_t mode);

// Accepts on one core and calls `on_connection(socket, peer, local)` there. When descriptors run out it pauses for a
// moment instead of spinning. pause() leaves connections in the backlog (over the limit) until resume().
class Listener {
public:
    using OnTcp = std::function<void(TcpSocket, Endpoint peer, Endpoint local)>;
    // errno when connections cannot be accepted for want of descriptors or memory: the first time, then once a minute.
    using OnTrouble = std::function<void(int error)>;
    Listener(Core& core, Fd socket, OnTcp on_connection, OnTrouble on_trouble = {});
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    // All on the core's thread.
    void pause();
    void resume();
    void stop();    // no call of on_connection comes after it

private:
    struct State;
    std::shared_ptr<State> state_;
};

class UnixListener {
public:
    using OnUnix = std::function<void(UnixSocket)>;
    UnixListener(Core& core, Fd socket, OnUnix on_connection);
    ~UnixListener();
    UnixListener(const UnixListener&) = delete;
    UnixListener& operator=(const UnixListener&) = delete;
    void stop();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace ekiden::net
