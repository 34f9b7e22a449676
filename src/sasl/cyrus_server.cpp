#include "sasl/cyrus_server.hpp"

#include "sasl/cyrus_threads.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <list>
#include <map>
#include <mutex>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace ekiden::sasl {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t most_unsent = 1 << 20;    // bytes of answers; a client that does not read them is none of ours
constexpr milliseconds look_at_limits{100};     // how exactly the limits are kept
constexpr milliseconds longest_hold_up{20};  // a step of the loop's own that is seen at it twice, so far apart, hangs
constexpr int quiet_looks = 50;                 // so many without a step, and nobody looks until there is one
constexpr std::size_t most_in_turn = 16;        // steps for the loop; with more of them a second thread is worth waking

struct Connection {
    Fd socket;
    std::string in;               // passwords pass through: of one size for good, and wiped behind what was used
    std::size_t used = 0;         // bytes of `in` that hold something
    std::string out;
    std::map<std::uint32_t, CyrusExchangePtr> exchanges;
    bool is_over = false;
};

std::string random_cookie()
{
    unsigned char bytes[16]{};
    if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) return std::string(32, '0');
    return fmt::format("{:02x}", fmt::join(bytes, ""));
}

CyrusReply try_later(std::string why)
{
    CyrusReply reply;
    reply.text = "generic failure";
    reply.log.push_back("warning: SASL authentication problem: " + std::move(why));
    return reply;
}

}  // namespace

// Everything is guarded by mutex_, which the loop's thread lets go where it waits: for something to read, and in the library.
class CyrusServer::State : public std::enable_shared_from_this<State> {
public:
    State(Fd listener, Fd stop, CyrusServerOptions options)
        : listener_(std::move(listener)), stop_(std::move(stop)), options_(std::move(options)),
          threads_(options_.most_threads)
    {
        ::fcntl(listener_.get(), F_SETFL, ::fcntl(listener_.get(), F_GETFL) | O_NONBLOCK);
    }

    End run();

private:
    using Lock = std::unique_lock<std::mutex>;
    struct Step {
        CyrusExchangePtr exchange;
        std::optional<Secret> response;
    };
    void start_loop();
    void loop(std::uint64_t number);
    void turn(Lock& lock);
    bool take_own_steps(Lock& lock, std::uint64_t number);   // false: another thread is the loop by now
    void look_after_loop(Lock& lock);
    void accept_all();
    void break_off(Connection& connection, std::string_view why);
    void read_from(std::uint64_t number, Connection& connection);
    void handle(std::uint64_t number, Connection& connection, CyrusRequest request);
    void begin(std::uint64_t number, Connection& connection, AuthRequest request);
    void submit(CyrusExchangePtr exchange, std::optional<Secret> response);
    void take(CyrusThreads::Done& done);
    void answer(const CyrusExchange& exchange, const CyrusReply& reply);
    void finish(const CyrusExchangePtr& exchange, const CyrusReply& reply);
    void keep_limits();
    void forget(const CyrusExchangePtr& exchange);
    void put(const CyrusExchangePtr& exchange, CyrusExchange::Place place);
    void send_to(Connection& connection);
    void drop_ended();

    Fd listener_, stop_;
    CyrusServerOptions options_;
    std::map<std::uint64_t, Connection> connections_;
    std::uint64_t last_connection_ = 0;
    std::list<CyrusExchangePtr> idle_;       // that wait for their client, oldest first
    std::list<CyrusExchangePtr> at_work_;    // that wait for a thread or have one, and whose client still waits
    std::optional<SteadyTime> drain_end_;
    CyrusThreads threads_;

    std::mutex mutex_;
    std::condition_variable changed_;        // for the thread that looks after the loop
    std::optional<End> end_;
    std::uint64_t loop_ = 0;                 // number of the thread that is the loop
    CyrusPace pace_;
    std::deque<Step> own_steps_;             // that the loop will take itself
    std::uint64_t own_step_ = 0;             // number of the one it takes, or took last
    bool is_in_step_ = false, is_watched_ = false;
    SteadyTime own_step_at_{};
    std::map<std::uint64_t, CyrusThreads::Begun::iterator> lost_;    // threads that have lost the loop, and hang
};

void CyrusServer::State::accept_all()
{
    while (connections_.size() < options_.most_connections) {
        Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket) return;
        const std::uint64_t number = ++last_connection_;
        Connection& connection = connections_[number];
        connection.socket = std::move(socket);
        connection.in.resize(longest_cyrus_line);
        connection.out =
            format_cyrus_greeting(options_.mechanisms, ::getpid(), static_cast<std::uint32_t>(number), random_cookie());
    }
}

void CyrusServer::State::break_off(Connection& connection, std::string_view why)
{
    if (!std::exchange(connection.is_over, true)) options_.log.warning("SASL: breaking off with a client: {}", why);
}

void CyrusServer::State::read_from(std::uint64_t number, Connection& connection)
{
    const ssize_t count = ::recv(connection.socket.get(), connection.in.data() + connection.used,
                                 connection.in.size() - connection.used, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
        connection.is_over = true;
        return;
    }
    connection.used += static_cast<std::size_t>(count);
    std::size_t done = 0;
    while (!connection.is_over) {
        const std::string_view rest(connection.in.data() + done, connection.used - done);
        const std::size_t end = rest.find('\n');
        if (end == rest.npos) break;
        auto request = parse_cyrus_request(rest.substr(0, end));
        done += end + 1;
        if (request) handle(number, connection, std::move(*request));
        else break_off(connection, request.error().text());
    }
    const std::size_t left = connection.used - done;
    std::memmove(connection.in.data(), connection.in.data() + done, left);
    wipe(connection.in.data() + left, connection.used - left);
    connection.used = left;
    if (left == connection.in.size()) break_off(connection, "a line without an end");
}

void CyrusServer::State::handle(std::uint64_t number, Connection& connection, CyrusRequest request)
{
    if (auto* auth = std::get_if<AuthRequest>(&request)) {
        begin(number, connection, std::move(*auth));
    } else if (auto* more = std::get_if<ContinueRequest>(&request)) {
        auto at = connection.exchanges.find(more->id);
        if (at == connection.exchanges.end()) {
            connection.out += format_cyrus_reply(more->id, try_later("the exchange was idle for too long"));
        } else if (at->second->place == CyrusExchange::Place::idle) {
            submit(at->second, std::move(more->response));
        } else {
            break_off(connection, "two answers to one challenge");
        }
    } else if (auto* cancel = std::get_if<CancelRequest>(&request)) {
        if (auto at = connection.exchanges.find(cancel->id); at != connection.exchanges.end())
            forget(CyrusExchangePtr(at->second));
    } else if (auto* hello = std::get_if<HelloRequest>(&request); hello && !hello->is_compatible) {
        break_off(connection, "another version of the protocol");
    }
}

void CyrusServer::State::begin(std::uint64_t number, Connection& connection, AuthRequest request)
{
    const std::uint32_t id = request.id;
    if (connection.exchanges.contains(id)) {
        break_off(connection, "one number for two requests");
        return;
    }
    if (idle_.size() >= options_.most_exchanges) {
        const CyrusExchangePtr oldest = idle_.front();
        finish(oldest, try_later("too many logins that are not finished"));
    }
    auto exchange = std::make_shared<CyrusExchange>();
    exchange->connection = number;
    exchange->id = id;
    auto response = std::move(request.response);
    request.response.reset();
    exchange->login = options_.begin(std::move(request));
    connection.exchanges[id] = exchange;
    submit(std::move(exchange), std::move(response));
}

void CyrusServer::State::submit(CyrusExchangePtr exchange, std::optional<Secret> response)
{
    put(exchange, CyrusExchange::Place::at_work);
    if (pace_.is_quick() && own_steps_.size() < most_in_turn) {
        exchange->is_begun = false;
        own_steps_.push_back({std::move(exchange), std::move(response)});
        return;
    }
    if (threads_.waiting() >= options_.most_waiting) {
        finish(exchange, try_later("too many logins at once"));
        return;
    }
    threads_.submit(std::move(exchange), std::move(response));
}

void CyrusServer::State::take(CyrusThreads::Done& done)
{
    const CyrusExchangePtr& exchange = done.exchange;
    if (done.reply) pace_.note(done.took);
    if (exchange->is_given_up || !done.reply) return;
    if (done.reply->kind != CyrusReply::Kind::challenge) {
        finish(exchange, *done.reply);
        return;
    }
    put(exchange, CyrusExchange::Place::idle);
    answer(*exchange, *done.reply);
}

bool CyrusServer::State::take_own_steps(Lock& lock, std::uint64_t number)
{
    while (!own_steps_.empty()) {
        Step step = std::move(own_steps_.front());
        own_steps_.pop_front();
        if (step.exchange->is_given_up) continue;
        step.exchange->is_begun = true;
        is_in_step_ = true;
        ++own_step_;
        own_step_at_ = base::steady_now();
        if (!is_watched_) changed_.notify_one();
        lock.unlock();
        CyrusThreads::Done done{std::move(step.exchange), std::nullopt, {}};
        const auto began = std::chrono::steady_clock::now();
        done.reply = take_cyrus_step(*done.exchange->login, std::move(step.response));
        done.took = std::chrono::steady_clock::now() - began;
        lock.lock();
        if (loop_ != number) {
            threads_.give_back(lost_.extract(number).mapped(), std::move(done));
            return false;
        }
        is_in_step_ = false;
        take(done);
    }
    return true;
}

void CyrusServer::State::answer(const CyrusExchange& exchange, const CyrusReply& reply)
{
    auto at = connections_.find(exchange.connection);
    if (at == connections_.end()) return;
    at->second.out += format_cyrus_reply(exchange.id, reply);
    if (at->second.out.size() > most_unsent) break_off(at->second, "answers are not read");
}

// The last word about an exchange.
void CyrusServer::State::finish(const CyrusExchangePtr& given, const CyrusReply& reply)
{
    const CyrusExchangePtr exchange = given;
    answer(*exchange, reply);
    forget(exchange);
}

void CyrusServer::State::forget(const CyrusExchangePtr& exchange)
{
    exchange->is_given_up = true;
    put(exchange, CyrusExchange::Place::nowhere);
    if (auto at = connections_.find(exchange->connection); at != connections_.end())
        at->second.exchanges.erase(exchange->id);
}

void CyrusServer::State::put(const CyrusExchangePtr& exchange, CyrusExchange::Place place)
{
    using Place = CyrusExchange::Place;
    exchange->since = base::steady_now();
    if (exchange->place != Place::nowhere) (exchange->place == Place::idle ? idle_ : at_work_).erase(exchange->at);
    exchange->place = place;
    if (place == Place::nowhere) return;
    auto& list = place == Place::idle ? idle_ : at_work_;
    exchange->at = list.insert(list.end(), exchange);
}

void CyrusServer::State::keep_limits()
{
    const SteadyTime now = base::steady_now();
    while (!idle_.empty() && now - idle_.front()->since > options_.idle_limit) forget(CyrusExchangePtr(idle_.front()));
    for (auto next = at_work_.begin(); next != at_work_.end();) {
        const CyrusExchangePtr exchange = *next++;    // finish() takes it out
        const bool is_begun = exchange->is_begun;
        if (now - exchange->since <= (is_begun ? options_.step_limit : options_.wait_limit)) continue;
        finish(exchange, try_later(is_begun ? "the password service does not answer"
                                            : "too many logins wait for the password service"));
    }
}

void CyrusServer::State::send_to(Connection& connection)
{
    while (!connection.out.empty() && !connection.is_over) {
        const ssize_t count =
            ::send(connection.socket.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) return;
        if (count <= 0) connection.is_over = true;
        else connection.out.erase(0, static_cast<std::size_t>(count));
    }
}

void CyrusServer::State::drop_ended()
{
    for (auto at = connections_.begin(); at != connections_.end();) {
        Connection& connection = at->second;
        const bool is_drained = drain_end_ && connection.exchanges.empty() && connection.out.empty();
        if (!connection.is_over && !is_drained) {
            ++at;
            continue;
        }
        while (!connection.exchanges.empty()) {
            const CyrusExchangePtr exchange = connection.exchanges.begin()->second;
            forget(exchange);
        }
        wipe(connection.in);
        at = connections_.erase(at);
    }
}

void CyrusServer::State::turn(Lock& lock)
{
    std::vector<pollfd> waits{{threads_.wake_fd(), POLLIN, 0}};
    if (!drain_end_) {
        waits.push_back({stop_.get(), POLLIN, 0});
        waits.push_back({connections_.size() < options_.most_connections ? listener_.get() : -1, POLLIN, 0});
    }
    const std::size_t first = waits.size();
    std::vector<std::uint64_t> numbers;
    for (const auto& [number, connection] : connections_) {
        numbers.push_back(number);
        waits.push_back(
            {connection.socket.get(), static_cast<short>(connection.out.empty() ? POLLIN : POLLIN | POLLOUT), 0});
    }
    const bool has_limits = !idle_.empty() || !at_work_.empty() || drain_end_;
    lock.unlock();
    const int count = ::poll(waits.data(), waits.size(), has_limits ? static_cast<int>(look_at_limits.count()) : -1);
    const int error = errno;
    lock.lock();
    if (count < 0 && error != EINTR) {
        end_ = End::stuck;
        return;
    }

    keep_limits();
    if (count <= 0) return;
    if (waits[0].revents) {
        for (CyrusThreads::Done& done : threads_.take_done()) take(done);
    }
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (waits[first + i].revents & (POLLIN | POLLHUP | POLLERR)) read_from(numbers[i], connections_.at(numbers[i]));
    }
    if (!drain_end_ && waits[1].revents) {
        listener_.reset();
        drain_end_ = base::steady_now() + options_.drain_limit;
    } else if (!drain_end_ && waits[2].revents) {
        accept_all();
    }
}

void CyrusServer::State::loop(std::uint64_t number)
{
    Lock lock(mutex_);
    while (!end_) {
        if (!take_own_steps(lock, number)) return;
        for (auto& [at, connection] : connections_) send_to(connection);
        drop_ended();
        if (threads_.waiting() > 0 && threads_.all_hang(options_.step_limit)) end_ = End::stuck;
        else if (drain_end_ && (connections_.empty() || base::steady_now() > *drain_end_)) end_ = End::drained;
        else turn(lock);
    }
    changed_.notify_one();
}

void CyrusServer::State::start_loop()
{
    std::thread([self = shared_from_this(), number = loop_] { self->loop(number); }).detach();
}

// Returns when the loop has ended.
void CyrusServer::State::look_after_loop(Lock& lock)
{
    std::uint64_t seen = 0;
    int quiet = 0;
    while (!end_) {
        is_watched_ = quiet < quiet_looks;
        if (is_watched_) changed_.wait_for(lock, longest_hold_up);
        else changed_.wait(lock);
        const bool is_same = std::exchange(seen, own_step_) == own_step_;
        quiet = is_same && !is_in_step_ ? quiet + 1 : 0;
        if (!is_same || !is_in_step_) continue;
        // The thread stays behind in the library, as one of the others.
        lost_.emplace(loop_++, threads_.adopt(own_step_at_));
        is_in_step_ = false;
        pace_.note_hung();
        for (Step& step : own_steps_) threads_.submit(std::move(step.exchange), std::move(step.response));
        own_steps_.clear();
        start_loop();
    }
}

CyrusServer::End CyrusServer::State::run()
{
    Lock lock(mutex_);
    start_loop();
    look_after_loop(lock);
    return *end_;
}

CyrusServer::CyrusServer(Fd listener, Fd stop, CyrusServerOptions options)
    : state_(std::make_shared<State>(std::move(listener), std::move(stop), std::move(options)))
{
}
CyrusServer::~CyrusServer() = default;

CyrusServer::End CyrusServer::run()
{
    return state_->run();
}

}  // namespace ekiden::sasl
