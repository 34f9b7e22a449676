// The engine's half of the control socket: lists the queue, changes messages, flushes, wakes pickup.
//
// One coroutine per connection on the home core; listings and bulk changes read the log on the blocking pool. At most
// `connection_limit` connections at a time; a slow reader loses its connection after a minute. Who connects and asks
// nothing for ten seconds is closed, and sooner when somebody else needs the place: the oldest of them first.
#pragma once

#include "base/fd.hpp"
#include "config/settings.hpp"
#include "net/blocking.hpp"
#include "net/cores.hpp"
#include "net/gate.hpp"
#include "net/listener.hpp"
#include "queue/store.hpp"
#include "rewrite/intake.hpp"
#include "schedule/scheduler.hpp"

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace ekiden::daemon {

class ControlServer {
public:
    struct Needs {
        net::Core& home;
        net::BlockingPool& pool;
        queue::Store& store;
        schedule::Scheduler& scheduler;
        std::function<void()> wake_pickup;
        std::function<std::shared_ptr<const rewrite::Intake>()> intake;    // of the settings in force
    };
    ControlServer(Needs needs, Fd socket);
    void start();
    Task<void> stop();

private:
    struct Caller {
        unsigned uid = 0;
        bool is_administrator = false;
    };
    void accept(net::UnixSocket socket);
    Task<void> serve(net::StreamPtr stream, Caller caller, net::Gate::Pass pass);
    Task<Result<void>> answer(net::Stream& stream, const std::vector<std::string>& words, const Caller& caller);
    Task<Result<void>> list(net::Stream& stream, const std::string& format);
    Task<Result<void>> change(net::Stream& stream, const std::string& what, const std::vector<std::string>& ids);
    // Many messages at once, so that one sync serves many of them.
    struct Bulk;
    Task<void> change_next(Bulk& bulk, net::Gate::Pass pass);
    // Puts a message through the waist again, with its original recipients, and removes the old one.
    Task<Result<mail::QueueId>> requeue(mail::QueueId id);

    Needs needs_;
    Fd socket_;
    std::unique_ptr<net::UnixListener> listener_;
    net::Gate gate_;
    std::list<net::Stream*> silent_;    // no request yet, the oldest first
};

}  // namespace ekiden::daemon
