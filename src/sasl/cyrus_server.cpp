#include "sasl/cyrus_server.hpp"

#include "sasl/cyrus_threads.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <list>
#include <map>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ekiden::sasl {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t most_unsent = 1 << 20;    // bytes of answers; a client that does not read them is none of ours
constexpr milliseconds look_at_limits{100};     // how exactly the limits are kept

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

class CyrusServer::State {
public:
    State(Fd listener, Fd stop, CyrusServerOptions options)
        : listener_(std::move(listener)), stop_(std::move(stop)), options_(std::move(options)), threads_(options_.most_threads)
    {
        ::fcntl(listener_.get(), F_SETFL, ::fcntl(listener_.get(), F_GETFL) | O_NONBLOCK);
    }

    End run();

private:
    void accept_all();
    void break_off(Connection& connection, std::string_view why);
    void read_from(std::uint64_t number, Connection& connection);
    void handle(std::uint64_t number, Connection& connection, CyrusRequest request);
    void begin(std::uint64_t number, Connection& connection, AuthRequest request);
    void submit(CyrusExchangePtr exchange, std::optional<Secret> response);
    void take_done();
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
        connection.out = format_cyrus_greeting(options_.mechanisms, ::getpid(), static_cast<std::uint32_t>(number), random_cookie());
    }
}

void CyrusServer::State::break_off(Connection& connection, std::string_view why)
{
    if (!std::exchange(connection.is_over, true)) options_.log.warning("SASL: breaking off with a client: {}", why);
}

void CyrusServer::State::read_from(std::uint64_t number, Connection& connection)
{
    const ssize_t count = ::recv(connection.socket.get(), connection.in.data() + connection.used, connection.in.size() - connection.used, 0);
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
        if (auto at = connection.exchanges.find(cancel->id); at != connection.exchanges.end()) forget(CyrusExchangePtr(at->second));
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
    if (threads_.waiting() >= options_.most_waiting) {
        finish(exchange, try_later("too many logins at once"));
        return;
    }
    threads_.submit(std::move(exchange), std::move(response));
}

void CyrusServer::State::take_done()
{
    for (CyrusThreads::Done& done : threads_.take_done()) {
        const CyrusExchangePtr& exchange = done.exchange;
        if (exchange->is_given_up || !done.reply) continue;
        if (done.reply->kind != CyrusReply::Kind::challenge) {
            finish(exchange, *done.reply);
            continue;
        }
        put(exchange, CyrusExchange::Place::idle);
        answer(*exchange, *done.reply);
    }
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
    if (auto at = connections_.find(exchange->connection); at != connections_.end()) at->second.exchanges.erase(exchange->id);
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
        finish(exchange, try_later(is_begun ? "the password service does not answer" : "too many logins wait for the password service"));
    }
}

void CyrusServer::State::send_to(Connection& connection)
{
    while (!connection.out.empty() && !connection.is_over) {
        const ssize_t count = ::send(connection.socket.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
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

CyrusServer::End CyrusServer::State::run()
{
    for (;;) {
        std::vector<pollfd> waits{{threads_.wake_fd(), POLLIN, 0}};
        if (!drain_end_) {
            waits.push_back({stop_.get(), POLLIN, 0});
            waits.push_back({connections_.size() < options_.most_connections ? listener_.get() : -1, POLLIN, 0});
        }
        const std::size_t first = waits.size();
        std::vector<std::uint64_t> numbers;
        for (const auto& [number, connection] : connections_) {
            numbers.push_back(number);
            waits.push_back({connection.socket.get(), static_cast<short>(connection.out.empty() ? POLLIN : POLLIN | POLLOUT), 0});
        }
        const bool has_limits = !idle_.empty() || !at_work_.empty() || drain_end_;
        const int count = ::poll(waits.data(), waits.size(), has_limits ? static_cast<int>(look_at_limits.count()) : -1);
        if (count < 0 && errno != EINTR) return End::stuck;

        keep_limits();
        if (count > 0) {
            take_done();
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
        for (auto& [number, connection] : connections_) send_to(connection);
        drop_ended();
        if (threads_.waiting() > 0 && threads_.all_hang(options_.step_limit)) return End::stuck;
        if (drain_end_ && (connections_.empty() || base::steady_now() > *drain_end_)) return End::drained;
    }
}

CyrusServer::CyrusServer(Fd listener, Fd stop, CyrusServerOptions options)
    : state_(std::make_unique<State>(std::move(listener), std::move(stop), std::move(options)))
{
}
CyrusServer::~CyrusServer() = default;

CyrusServer::End CyrusServer::run()
{
    return state_->run();
}

}  // namespace ekiden::sasl
