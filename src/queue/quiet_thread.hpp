// A thread that no signal is delivered to (the process's main loop handles them), under a name that tools show.
#pragma once

#include <thread>
#include <utility>

#include <pthread.h>
#include <signal.h>

namespace ekiden::queue {

template <class F>
std::thread quiet_thread(const char* name, F work)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread thread(std::move(work));
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_setname_np(thread.native_handle(), name);
    return thread;
}

}  // namespace ekiden::queue
