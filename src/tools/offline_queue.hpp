// The queue changed by a command while no engine runs: with the log's lock, as the log's owner. Thread: one.
#pragma once

#include "config/settings.hpp"
#include "queue/store.hpp"
#include "tools/support.hpp"

#include <memory>
#include <optional>
#include <string>
#include <thread>

namespace ekiden::tools {

class OfflineQueue {
public:
    // Root becomes the owner of the log for good. Ends the program where the log cannot be opened.
    OfflineQueue(const Voice& voice, const config::Settings& settings);
    ~OfflineQueue();

    queue::Store& store() { return *store_; }
    // Durable when it returns; ErrorCode::not_found when there is no such message. Requeued mail becomes a maildrop file,
    // which the next start collects.
    Result<void> change(mail::QueueId id, queue::Change change);

private:
    asio::io_context context_{1};
    std::optional<asio::executor_work_guard<net::Executor>> work_{context_.get_executor()};
    std::unique_ptr<queue::Store> store_;
    std::string maildrop_;
    std::thread loop_;
};

}  // namespace ekiden::tools
