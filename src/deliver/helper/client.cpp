#include "deliver/helper/client.hpp"

#include "base/clock.hpp"
#include "deliver/helper/channel.hpp"
#include "deliver/helper/protocol.hpp"

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <sys/socket.h>
#include <sys/time.h>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ekiden::deliver {

using Answered = std::function<void(Result<HelperAnswer>)>;

// A worker that died takes its request with it: past this nobody waits any longer.
constexpr std::chrono::seconds file_limit{300};

// Two threads: one writes, in order, the requests for which the socket has no room (its buffer is the back-pressure), one
// reads answers and hands each to the core that waits for it.
struct Helper::State {
    struct Outgoing {
        std::uint64_t number;
        std::string bytes;
        Fd content;
    };

    std::mutex mutex;
    std::condition_variable wake;
    std::deque<Outgoing> outgoing;
    struct Waiting {
        Answered answered;
        SteadyTime give_up_at;
        const Fd* sent_to = nullptr;   // whose death it shares; none while it is outgoing
    };
    std::unordered_map<std::uint64_t, Waiting> waiting;
    std::uint64_t next_number = 1;
    std::shared_ptr<Fd> socket;      // replaced when the helper was started anew
    bool is_stopping = false;
    bool is_writing = false;         // the writer has one in hand: whoever comes now stands behind it
    std::thread writer, reader;

    // Whoever waits for what was handed to a helper that is not ours any more. What the present one has got, or will get,
    // is not to be failed: it would be delivered all the same.
    void fail_orphans()
    {
        fail_if([this](const Waiting& entry) { return entry.sent_to && entry.sent_to != socket.get(); });
    }

    // The helper behind `lost` has gone: while there is no other, nobody shall wait for one.
    void fail_lost(const Fd* lost)
    {
        fail_if([this, lost](const Waiting& entry) {
            return socket.get() == lost || (entry.sent_to && entry.sent_to != socket.get());
        });
    }

    void fail_all()
    {
        fail_if([](const Waiting&) { return true; });
    }

    template <class Condition>
    void fail_if(Condition is_lost)
    {
        std::vector<Answered> failed;
        {
            std::lock_guard lock(mutex);
            for (auto at = waiting.begin(); at != waiting.end();) {
                if (!is_lost(at->second)) {
                    ++at;
                    continue;
                }
                failed.push_back(std::move(at->second.answered));
                at = waiting.erase(at);
            }
            std::erase_if(outgoing, [this](const Outgoing& entry) { return !waiting.contains(entry.number); });
        }
        for (Answered& answered : failed) answered(base::fail(ErrorCode::unavailable, "the delivery helper has gone"));
    }

    void give_up_on_late()
    {
        std::vector<Answered> late;
        {
            std::lock_guard lock(mutex);
            for (auto at = waiting.begin(); at != waiting.end();) {
                if (at->second.give_up_at > base::steady_now()) {
                    ++at;
                    continue;
                }
                late.push_back(std::move(at->second.answered));
                at = waiting.erase(at);
            }
        }
        for (Answered& answered : late) answered(base::fail(ErrorCode::timeout, "no answer from the delivery helper"));
    }

    // The reader wakes every second to look for answers that will not come.
    void adopt(Fd fresh)
    {
        timeval second{1, 0};
        ::setsockopt(fresh.get(), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
        socket = std::make_shared<Fd>(std::move(fresh));
    }

    void write()
    {
        std::unique_lock lock(mutex);
        for (;;) {
            wake.wait(lock, [&] { return is_stopping || !outgoing.empty(); });
            if (is_stopping) return;
            Outgoing next = std::move(outgoing.front());
            outgoing.pop_front();
            is_writing = true;
            // Again only when a new helper has come meanwhile: what could not be sent, nobody has got.
            for (std::shared_ptr<Fd> tried; tried != socket;) {
                tried = socket;
                auto at = waiting.find(next.number);
                if (at == waiting.end()) break;   // failed already: it must not be delivered behind the queue's back
                at->second.sent_to = tried.get();
                lock.unlock();
                bool is_sent = send(*tried, next, 0);
                Error error = Error::from_errno("send to the delivery helper");
                lock.lock();
                if (is_sent || is_stopping) break;
                if (tried == socket) fail_one(lock, next.number, error);
            }
            is_writing = false;
        }
    }

    // False: errno says why.
    static bool send(const Fd& to, const Outgoing& next, int flags)
    {
        return send_datagram(to.get(), next.bytes, next.content ? next.content.get() : -1, flags);
    }

    void fail_one(std::unique_lock<std::mutex>& lock, std::uint64_t number, const Error& error)
    {
        auto at = waiting.find(number);
        if (at == waiting.end()) return;
        Answered answered = std::move(at->second.answered);
        waiting.erase(at);
        lock.unlock();
        answered(base::fail(ErrorCode::unavailable, error.text()));
        lock.lock();
    }

    void read()
    {
        std::string buffer(max_request, '\0');
        std::shared_ptr<Fd> from;
        for (;;) {
            bool is_fresh = false;
            {
                // One is read to its end before the next: use() sees to it that it ends.
                std::lock_guard lock(mutex);
                if (is_stopping) return;
                is_fresh = !from;
                if (is_fresh) from = socket;
            }
            if (is_fresh) fail_orphans();
            ssize_t n = ::recv(from->get(), buffer.data(), buffer.size(), 0);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && errno == EAGAIN) {
                give_up_on_late();
                continue;
            }
            if (n <= 0) {
                fail_lost(from.get());
                std::unique_lock lock(mutex);
                wake.wait(lock, [&] { return is_stopping || socket != from; });
                from.reset();
                continue;
            }
            auto answers = decode_answers(std::string_view(buffer).substr(0, static_cast<std::size_t>(n)));
            if (!answers) continue;   // whoever waits for it gets its turn when the helper ends
            std::vector<std::pair<Answered, HelperAnswer>> ready;
            ready.reserve(answers->size());
            {
                std::lock_guard lock(mutex);
                for (HelperAnswer& answer : *answers) {
                    auto at = waiting.find(answer.number);
                    if (at == waiting.end()) continue;
                    ready.emplace_back(std::move(at->second.answered), std::move(answer));
                    waiting.erase(at);
                }
            }
            for (auto& [answered, answer] : ready) answered(std::move(answer));
        }
    }
};

Helper::Helper(Fd socket) : state_(std::make_shared<State>())
{
    state_->adopt(std::move(socket));
    state_->writer = std::thread([state = state_.get()] { state->write(); });
    state_->reader = std::thread([state = state_.get()] { state->read(); });
}

Helper::~Helper()
{
    {
        std::lock_guard lock(state_->mutex);
        state_->is_stopping = true;
        ::shutdown(state_->socket->get(), SHUT_RDWR);
    }
    state_->wake.notify_all();
    state_->writer.join();
    state_->reader.join();
    state_->fail_all();
}

void Helper::use(Fd socket)
{
    std::lock_guard lock(state_->mutex);
    // Whatever still runs at the other end is no longer listened to. What it has answered is read, then the reader sees the end.
    ::shutdown(state_->socket->get(), SHUT_RDWR);
    state_->adopt(std::move(socket));
    state_->wake.notify_all();
}

Task<Result<HelperAnswer>> Helper::ask(HelperRequest request, Fd content)
{
    auto executor = co_await net::this_executor();
    auto start = [&](auto handler) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        Answered answered = [shared, executor](Result<HelperAnswer> answer) {
            asio::post(executor, [shared, answer = std::move(answer)]() mutable { (*shared)(std::move(answer)); });
        };
        request.has_descriptor = bool(content);
        std::unique_lock lock(state_->mutex);
        request.number = state_->next_number++;
        std::string bytes = encode(request);
        if (bytes.size() > max_request) {
            lock.unlock();
            return answered(base::fail(ErrorCode::too_long, "the request to the delivery helper is too long"));
        }
        std::chrono::seconds limit = file_limit + std::chrono::seconds(request.time_limit);
        auto [at, is_new] =
            state_->waiting.emplace(request.number, State::Waiting{std::move(answered), base::steady_now() + limit});
        State::Outgoing next{request.number, std::move(bytes), std::move(content)};
        // Mostly the socket has room; else, and when it is broken, it is the writer's.
        if (state_->outgoing.empty() && !state_->is_writing) {
            at->second.sent_to = state_->socket.get();
            if (State::send(*state_->socket, next, MSG_DONTWAIT)) return;
            at->second.sent_to = nullptr;
        }
        state_->outgoing.push_back(std::move(next));
        state_->wake.notify_all();
    };
    net::UseTask token;
    co_return co_await asio::async_initiate<net::UseTask, void(Result<HelperAnswer>)>(start, token);
}

}  // namespace ekiden::deliver
