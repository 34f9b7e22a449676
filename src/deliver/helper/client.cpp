#include "deliver/helper/client.hpp"

#include "base/clock.hpp"
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

namespace ekiden::deliver {

using Answered = std::function<void(Result<HelperAnswer>)>;

// A worker that died takes its request with it: past this nobody waits any longer.
constexpr std::chrono::seconds file_limit{300};

// Two threads: one writes requests in order (the socket's buffer is the back-pressure), one reads answers and hands each
// to the core that waits for it.
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
    };
    std::unordered_map<std::uint64_t, Waiting> waiting;
    std::uint64_t next_number = 1;
    std::shared_ptr<Fd> socket;      // replaced when the helper was started anew
    bool is_stopping = false;
    std::thread writer, reader;

    void fail_all(const std::string& why)
    {
        std::unordered_map<std::uint64_t, Waiting> all;
        {
            std::lock_guard lock(mutex);
            all.swap(waiting);
            outgoing.clear();
        }
        for (auto& [number, entry] : all) entry.answered(base::fail(ErrorCode::unavailable, why));
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
            std::shared_ptr<Fd> to = socket;
            lock.unlock();
            send(*to, next);
            lock.lock();
        }
    }

    void send(const Fd& to, const Outgoing& next)
    {
        iovec piece{const_cast<char*>(next.bytes.data()), next.bytes.size()};
        msghdr header{};
        header.msg_iov = &piece;
        header.msg_iovlen = 1;
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
        if (next.content) {
            header.msg_control = control;
            header.msg_controllen = sizeof control;
            cmsghdr* part = CMSG_FIRSTHDR(&header);
            part->cmsg_level = SOL_SOCKET;
            part->cmsg_type = SCM_RIGHTS;
            part->cmsg_len = CMSG_LEN(sizeof(int));
            int fd = next.content.get();
            std::memcpy(CMSG_DATA(part), &fd, sizeof fd);
        }
        ssize_t n;
        do n = ::sendmsg(to.get(), &header, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n >= 0) return;
        Error error = Error::from_errno("send to the delivery helper");
        Answered answered;
        {
            std::lock_guard lock(mutex);
            if (auto at = waiting.find(next.number); at != waiting.end()) {
                answered = std::move(at->second.answered);
                waiting.erase(at);
            }
        }
        if (answered) answered(base::fail(ErrorCode::unavailable, error.text()));
    }

    void read()
    {
        std::string buffer(max_request, '\0');
        for (;;) {
            std::shared_ptr<Fd> from;
            {
                std::lock_guard lock(mutex);
                if (is_stopping) return;
                from = socket;
            }
            ssize_t n = ::recv(from->get(), buffer.data(), buffer.size(), 0);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && errno == EAGAIN) {
                give_up_on_late();
                continue;
            }
            if (n <= 0) {
                fail_all("the delivery helper has gone");
                std::unique_lock lock(mutex);
                wake.wait(lock, [&] { return is_stopping || socket != from; });
                continue;
            }
            auto answer = decode_answer(std::string_view(buffer).substr(0, static_cast<std::size_t>(n)));
            if (!answer) continue;   // whoever waits for it gets its turn when the helper ends
            Answered answered;
            {
                std::lock_guard lock(mutex);
                auto at = waiting.find(answer->number);
                if (at == waiting.end()) continue;
                answered = std::move(at->second.answered);
                waiting.erase(at);
            }
            answered(std::move(*answer));
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
    state_->fail_all("stopping");
}

void Helper::use(Fd socket)
{
    std::lock_guard lock(state_->mutex);
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
        state_->waiting.emplace(request.number, State::Waiting{std::move(answered), base::steady_now() + limit});
        state_->outgoing.push_back({request.number, std::move(bytes), std::move(content)});
        state_->wake.notify_all();
    };
    net::UseTask token;
    co_return co_await asio::async_initiate<net::UseTask, void(Result<HelperAnswer>)>(start, token);
}

}  // namespace ekiden::deliver
