#include "sasl/dovecot.hpp"

#include "base/locked.hpp"
#include "base/text.hpp"
#include "net/connect.hpp"
#include "sasl/cyrus_protocol.hpp"
#include "sasl/dovecot_connection.hpp"

#include <algorithm>
#include <cstring>
#include <netdb.h>

namespace ekiden::sasl {
namespace {

constexpr std::string_view lost = "Connection lost to authentication server";
// With what stands before it in a line; Dovecot's lines may have 16,384 bytes.
constexpr std::size_t longest_dovecot_response = 15'000, longest_cyrus_response = longest_cyrus_line - 16'384;
constexpr std::chrono::milliseconds known_list_patience{1000};    // where an earlier list of mechanisms will do

struct Place {
    std::string socket;         // a path; empty: `host` and `port`
    std::string host;
    std::uint16_t port = 0;
};

Result<Place> parse_place(const DovecotOptions& options)
{
    Place place;
    std::string_view path = options.path;
    if (path.starts_with("inet:")) {
        const auto parts = net::split_host_port(path.substr(5));
        const auto port =
            parts && !parts->port.empty() ? net::find_port(parts->port, options.known_ports) : std::nullopt;
        if (!port || parts->host.empty())
            return fail(ErrorCode::syntax, "bad address \"" + options.path + "\": need inet:host:port");
        place.host = parts->host;
        place.port = *port;
        return place;
    }
    if (path.starts_with("unix:")) path.remove_prefix(5);
    if (path.empty())
        return fail(ErrorCode::syntax, "bad address \"" + options.path + "\": need a socket or inet:host:port");
    place.socket = path.starts_with('/') ? std::string(path) : options.queue_directory + "/" + std::string(path);
    return place;
}

Result<std::vector<net::Address>> look_up(const std::string& host)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0)
        return fail(ErrorCode::not_found, ::gai_strerror(error));
    std::vector<net::Address> addresses;
    for (const addrinfo* at = found; at; at = at->ai_next) {
        char text[NI_MAXHOST];
        if (::getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) continue;
        if (auto address = net::parse_address(text)) addresses.push_back(*address);
    }
    ::freeaddrinfo(found);
    return addresses;
}

Task<Result<net::StreamPtr>> connect_to(Place place, net::BlockingPool* pool, std::chrono::seconds limit)
{
    if (!place.socket.empty()) co_return co_await net::connect_unix(place.socket, limit);
    std::vector<net::Address> addresses;
    if (const auto literal = net::parse_address(place.host)) addresses.push_back(*literal);
    else {
        EKIDEN_CO_TRY_VALUE(found, co_await pool->run([host = place.host] { return look_up(host); }));
        addresses = std::move(found);
    }
    Result<net::StreamPtr> last = fail(ErrorCode::not_found, "Host not found");
    for (const net::Address& address : addresses) {
        net::ConnectOptions options;
        options.time_limit = limit;
        last = co_await net::connect_tcp(net::Endpoint{address, place.port}, options);
        if (last) break;
    }
    co_return last;
}

class DovecotBackend;

class DovecotExchange final : public Exchange {
public:
    DovecotExchange(std::shared_ptr<const DovecotBackend> backend, std::string mechanism, Peer peer)
        : backend_(std::move(backend)), mechanism_(std::move(mechanism)), peer_(std::move(peer))
    {
    }
    ~DovecotExchange() override
    {
        if (is_running_) connection_->cancel(id_);
    }
    Task<Answer> step(std::optional<Secret> response) override;

private:
    Task<std::optional<Answer>> begin();    // an answer: it ends here
    // `response` outlives the await.
    Task<Result<DovecotLine>> ask(bool is_first, const std::optional<Secret>& response);
    Answer read(DovecotLine line);

    std::shared_ptr<const DovecotBackend> backend_;
    std::string mechanism_;
    Peer peer_;
    std::shared_ptr<DovecotConnection> connection_;
    std::uint32_t id_ = 0;
    bool is_running_ = false;    // the server waits for our next line
};

class DovecotBackend final : public Backend, public std::enable_shared_from_this<DovecotBackend> {
public:
    DovecotBackend(DovecotOptions options, Place place)
        : options_(std::move(options)), key_((options_.is_cyrus ? "cyrus " : "dovecot ") + options_.path)
    {
        if (place.socket.empty()) key_ += " " + options_.known_ports;
        else key_ += " " + place.socket;
        connect_ = [place = std::move(place), pool = options_.pool](std::chrono::seconds limit) {
            return connect_to(place, pool, limit);
        };
    }

    Task<Result<MechanismList>> mechanisms() override
    {
        auto self = shared_from_this();
        const MechanismList known = *known_.lock();
        const net::Executor executor = co_await net::this_executor();
        std::shared_ptr<DovecotConnection> connection = get(executor);
        if (!connection->is_open()) {
            auto opened = co_await open(known ? std::min(known_list_patience, options_.time_limit) : options_.time_limit);
            // What it could do when it was there it will be able to do again; whoever logs in meanwhile is told to try later.
            if (!opened && known) co_return known;
            if (!opened) co_return std::unexpected(std::move(opened).error());
            connection = std::move(*opened);
        }
        if (connection->mechanisms() != known) *known_.lock() = connection->mechanisms();
        co_return connection->mechanisms();
    }

    std::unique_ptr<Exchange> begin(std::string mechanism, Peer peer) override
    {
        return std::make_unique<DovecotExchange>(shared_from_this(), std::move(mechanism), std::move(peer));
    }

    Task<Result<std::shared_ptr<DovecotConnection>>> open(std::chrono::milliseconds limit) const
    {
        const net::Executor executor = co_await net::this_executor();
        auto connection = get(executor);
        if (auto ready = co_await connection->ready(limit); !ready) {
            co_return fail(Error(ErrorCode::unavailable, fmt::format("SASL: Connect to {} socket '{}' failed: {}",
                                                                     options_.is_cyrus ? "libsasl2" : "Dovecot auth",
                                                                     options_.path, ready.error().text())));
        }
        co_return connection;
    }
    std::shared_ptr<DovecotConnection> get(const net::Executor& executor) const
    {
        return DovecotConnections::of(executor).get(key_, executor, connect_);
    }
    const DovecotOptions& options() const { return options_; }

private:
    DovecotOptions options_;
    std::string key_;
    DovecotConnection::Connect connect_;
    base::Locked<MechanismList> known_;
};

Answer failure(std::string_view text) { return {.kind = Answer::Kind::failure, .text = std::string(text)}; }
Answer try_later(std::string_view text) { return {.kind = Answer::Kind::try_later, .text = std::string(text)}; }

Task<std::optional<Answer>> DovecotExchange::begin()
{
    const DovecotOptions& options = backend_->options();
    const net::Executor executor = co_await net::this_executor();
    connection_ = backend_->get(executor);
    if (!connection_->is_open()) {
        auto opened = co_await backend_->open(options.time_limit);
        if (!opened) {
            options.log.warning("{}", opened.error().text());
            connection_.reset();
            co_return try_later(lost);
        }
        connection_ = std::move(*opened);
    }
    id_ = connection_->next_id();
    if (options.is_cyrus) co_return std::nullopt;
    const auto& known = *connection_->mechanisms();
    const auto found = std::ranges::find_if(
        known, [this](const Mechanism& m) { return base::equal_ignoring_case(m.name, mechanism_); });
    if (found == known.end() || !is_allowed(*found, peer_.security))
        co_return failure("Invalid authentication mechanism");
    co_return std::nullopt;
}

Task<Answer> DovecotExchange::step(std::optional<Secret> response)
{
    const DovecotOptions& options = backend_->options();
    const bool is_first = !connection_;
    if (is_first) {
        if (auto end = co_await begin()) co_return std::move(*end);
    } else if (!is_running_) {
        co_return try_later("Authentication backend error");
    }
    if (response && !options.is_cyrus && !looks_like_base64(response->view())) {
        co_return failure(is_first ? "Invalid base64 data in initial response"
                                   : "Invalid base64 data in continued response");
    }
    // The server ends the connection of a client that says more in a line, and all other logins with it.
    if (response && response->size() > (options.is_cyrus ? longest_cyrus_response : longest_dovecot_response))
        co_return failure("Authentication response too long");
    auto answer = co_await ask(is_first, response);
    if (!answer && is_first && answer.error().is(ErrorCode::closed)) {
        // A server that stops or starts anew has hung up before it said anything about this login: another may stand where
        // it stood. (Postfix asks twice, too.)
        if (auto end = co_await begin()) co_return std::move(*end);
        answer = co_await ask(is_first, response);
    }
    if (!answer)
        co_return try_later(
            answer.error().is(ErrorCode::unavailable) ? std::string_view("Authentication server is busy") : lost);
    co_return read(std::move(*answer));
}

Task<Result<DovecotLine>> DovecotExchange::ask(bool is_first, const std::optional<Secret>& response)
{
    const DovecotOptions& options = backend_->options();
    Secret line;
    if (is_first) {
        DovecotRequest request{.id = id_, .mechanism = mechanism_};
        if (response) request.response = response->view();
        std::string words;
        if (options.is_cyrus) {
            words = format_security_options(peer_.security);
            request.security_words = words;
            request.with_realm = true;
        }
        line = format_dovecot_auth(request, peer_);
    } else {
        line = format_dovecot_continue(id_, response ? response->view() : std::string_view());
    }
    is_running_ = false;    // whatever comes, there is nothing to cancel any more
    co_return co_await connection_->ask(id_, std::move(line), options.time_limit);
}

Answer DovecotExchange::read(DovecotLine line)
{
    Answer answer{.text = std::move(line.text), .user = std::move(line.user)};
    // Our own process logs through us; a server of others does not get to write into this log.
    if (backend_->options().is_cyrus) answer.log = std::move(line.log);
    switch (line.kind) {
    case DovecotLine::Kind::success:
        answer.kind = Answer::Kind::success;
        if (answer.user.empty()) {
            backend_->options().log.warning("missing Dovecot server OK username field");
            answer.kind = Answer::Kind::try_later;
            answer.text = "Authentication backend error";
        }
        break;
    case DovecotLine::Kind::challenge:
        answer.kind = Answer::Kind::challenge;
        is_running_ = true;
        break;
    default:
        answer.kind = line.is_temporary ? Answer::Kind::try_later : Answer::Kind::failure;
        if (answer.text.empty()) answer.text = "(reason unavailable)";
    }
    return answer;
}

}  // namespace

Result<BackendPtr> make_dovecot(DovecotOptions options)
{
    EKIDEN_TRY_VALUE(place, parse_place(options));
    return std::make_shared<DovecotBackend>(std::move(options), std::move(place));
}

}  // namespace ekiden::sasl
