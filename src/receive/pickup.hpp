// Collects what sendmail and postdrop left in $queue_directory/maildrop and submits it (Postfix's pickup). The format of
// the files is mail/maildrop.hpp; names that begin with '.' are still being written.
//
// A file is removed only after the commit of its message: a crash in between means a second copy, never a lost message.
// What cannot be accepted now stays and is tried again; what is malformed is moved to ../corrupt with a warning.
// Looks when told (wake), when the folder changes (inotify), and once a minute. Lives on one core; file work is done on
// the blocking pool.
#pragma once

#include "base/fd.hpp"
#include "base/log.hpp"
#include "net/blocking.hpp"
#include "net/cores.hpp"
#include "net/gate.hpp"
#include "rewrite/intake.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace ekiden::receive {

class Pickup {
public:
    using IntakePtr = std::shared_ptr<const rewrite::Intake>;
    // `settings`: those of the pickup line of master.cf (receive_override_options); null: the intake's.
    Pickup(net::Core& home, net::BlockingPool& pool, std::string directory, IntakePtr intake,
           config::SettingsPtr settings = nullptr);
    ~Pickup();    // after stop()

    // A message that will never be accepted (a header check, its size): whoever can makes a bounce of it and answers
    // true, and the file is removed. Without this hook, or when it answers false, the file stays and is tried again
    // after an hour. Before start().
    using OnRefused = std::function<Task<bool>(mail::Envelope envelope, rewrite::Refusal why)>;
    void on_refused(OnRefused hook);

    void start();
    void wake();                    // thread: any
    void use(IntakePtr intake, config::SettingsPtr settings = nullptr);     // a new settings snapshot; thread: any
    Task<void> stop();              // finishes the messages it is at

    // One look at the folder, all files; what start() does again and again. On the home core.
    Task<void> collect();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace ekiden::receive
