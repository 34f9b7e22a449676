#include "sasl/dovecot_connection.hpp"

#include "base/random.hpp"
#include "net/line_reader.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>

namespace ekiden::sasl {
namespace {

constexpr std::chrono::seconds greeting_limit{10};     // to connect and to be greeted
constexpr std::chrono::minutes idle_limit{5};          // a server no setting names any more is not kept for ever
constexpr std::size_t most_pending = 4096;
constexpr std::size_t most_outgoing = 1 << 20;         // bytes that a server may leave unread
constexpr int longest_greeting = 200;                  // lines

}  // namespace

// Stands in the frame of the coroutine that waits; it takes itself off the lists when that goes.
struct DovecotConnection::Waiter {
    Waiter(DovecotConnection& c, std::chrono::milliseconds limit) : connection(c), timer(c.executor_, limit) {}
    ~Waiter()
    {
        if (id) connection.pending_.erase(*id);
        else std::erase(connection.greeting_waiters_, this);
    }
    Waiter(const Waiter&) = delete;
    Task<void> wait()
    {
        if (is_done) co_return;
        boost::system::error_code ignored;
        co_await timer.async_wait(asio::redirect_error(use_task, ignored));
    }
    void wake()
    {
        is_done = true;
        timer.cancel();
    }

    DovecotConnection& connection;
    net::Timer timer;
    std::optional<std::uint32_t> id;
    std::optional<DovecotLine> answer;
    bool is_done = false;
};

Task<Result<void>> DovecotConnection::ready(std::chrono::milliseconds limit)
{
    auto self = shared_from_this();
    if (state_ == State::fresh) {
        state_ = State::connecting;
        asio::co_spawn(executor_, run(self), asio::detached);
    }
    if (state_ == State::connecting) {
        Waiter waiter(*this, limit);
        greeting_waiters_.push_back(&waiter);
        co_await waiter.wait();
        if (!waiter.is_done) co_return fail(ErrorCode::timeout, "Connection timed out");
    }
    if (state_ == State::dead) co_return fail(*why_dead_);
    co_return Result<void>{};
}

Task<Result<DovecotLine>> DovecotConnection::ask(std::uint32_t id, Secret line, std::chrono::milliseconds limit)
{
    auto self = shared_from_this();
    if (state_ != State::open) co_return fail(ErrorCode::closed, "no connection");
    if (pending_.size() >= most_pending || pending_.contains(id))
        co_return fail(ErrorCode::unavailable, "too many logins at once");
    const SteadyTime began_at = base::steady_now();
    Waiter waiter(*this, limit);
    waiter.id = id;
    pending_.emplace(id, &waiter);
    // Sending may find out at once that the server is gone.
    if (!send(std::move(line))) co_return fail(ErrorCode::unavailable, "too much to say at once");
    co_await waiter.wait();
    if (waiter.answer) co_return std::move(*waiter.answer);
    if (waiter.is_done) co_return fail(*why_dead_);
    // A server that answers others in the meantime is alive, only slow with this one.
    if (heard_at_ < began_at) close(Error(ErrorCode::timeout, "no answer"));
    else cancel(id);
    co_return fail(ErrorCode::timeout, "no answer");
}

void DovecotConnection::cancel(std::uint32_t id)
{
    if (state_ == State::open) (void)send(format_dovecot_cancel(id));
}

bool DovecotConnection::send(Secret line)
{
    if (outgoing_bytes_ + line.size() > most_outgoing) return false;
    outgoing_bytes_ += line.size();
    outgoing_.push_back(std::move(line));
    if (!std::exchange(is_sending_, true)) asio::co_spawn(executor_, send_waiting(shared_from_this()), asio::detached);
    return true;
}

Task<void> DovecotConnection::send_waiting(std::shared_ptr<DovecotConnection> self)
{
    // Whoever else is ready in this turn of the loop has his say first: the lines leave together, and the server is woken
    // once for all of them.
    co_await asio::post(self->executor_, use_task);
    while (!self->outgoing_.empty() && self->state_ == State::open) {
        const std::deque<Secret> lines = std::exchange(self->outgoing_, {});
        std::vector<std::string_view> pieces;
        std::size_t bytes = 0;
        for (const Secret& line : lines) {
            pieces.push_back(line.view());
            bytes += line.size();
        }
        auto sent = co_await self->stream_->write(pieces);
        if (self->state_ == State::open) self->outgoing_bytes_ -= bytes;
        if (!sent) self->close(std::move(sent).error());
    }
    self->is_sending_ = false;
}

Task<void> DovecotConnection::run(std::shared_ptr<DovecotConnection> self)
{
    auto opened = co_await self->open();
    if (!opened) {
        self->close(std::move(opened).error());
        co_return;
    }
    Error why = co_await self->read_answers();
    self->close(std::move(why));
}

Task<Result<void>> DovecotConnection::open()
{
    const SteadyTime until = base::steady_now() + greeting_limit;
    EKIDEN_CO_TRY_VALUE(stream, co_await connect_(greeting_limit));
    if (state_ == State::dead) co_return fail(*why_dead_);
    stream_ = std::move(stream);
    stream_->set_deadline(until);
    // Any number will do, as long as two clients do not have the same one; the cores of a process are as many clients.
    const std::string hello = format_dovecot_hello(static_cast<std::uint32_t>(base::random_below(0x7FFFFFFF)) + 1);
    EKIDEN_CO_TRY(co_await stream_->write(std::string_view(hello)));

    net::LineReader reader(*stream_);
    auto mechanisms = std::make_shared<std::vector<Mechanism>>();
    bool has_version = false;
    for (int i = 0; i < longest_greeting; ++i) {
        EKIDEN_CO_TRY_VALUE(text, co_await reader.read_line(longest_dovecot_line));
        if (text.is_cut) co_return fail(ErrorCode::too_long, "line too long");
        EKIDEN_CO_TRY_VALUE(line, parse_dovecot_line(text.text));
        switch (line.kind) {
        case DovecotLine::Kind::version:
            if (line.number != 1) co_return fail(ErrorCode::protocol, "unsupported protocol version");
            has_version = true;
            break;
        case DovecotLine::Kind::mechanism:
            if (mechanisms->size() >= most_dovecot_mechanisms)
                co_return fail(ErrorCode::too_long, "too many mechanisms");
            mechanisms->push_back(std::move(line.mechanism));
            break;
        case DovecotLine::Kind::ready:
            if (!has_version) co_return fail(ErrorCode::protocol, "no protocol version");
            if (!reader.buffered().empty()) co_return fail(ErrorCode::protocol, "answers before any question");
            mechanisms_ = std::move(mechanisms);
            state_ = State::open;
            heard_at_ = base::steady_now();
            wake(greeting_waiters_);
            co_return Result<void>{};
        case DovecotLine::Kind::other: break;
        default: co_return fail(ErrorCode::protocol, "an answer before any question");
        }
    }
    co_return fail(ErrorCode::too_long, "greeting too long");
}

Task<Error> DovecotConnection::read_answers()
{
    net::LineReader reader(*stream_);
    for (;;) {
        stream_->set_deadline(base::steady_now() + idle_limit);
        auto text = co_await reader.read_line(longest_dovecot_line);
        if (!text) {
            if (text.error().is(ErrorCode::timeout) && !pending_.empty()) continue;
            co_return std::move(text).error();
        }
        if (text->is_cut) co_return Error(ErrorCode::too_long, "line too long");
        auto line = parse_dovecot_line(text->text);
        if (!line) co_return std::move(line).error();
        heard_at_ = base::steady_now();
        const bool is_answer = line->kind == DovecotLine::Kind::success || line->kind == DovecotLine::Kind::challenge ||
                               line->kind == DovecotLine::Kind::failure;
        const auto found = is_answer ? pending_.find(line->id) : pending_.end();
        if (found == pending_.end() || found->second->is_done) continue;
        found->second->answer = std::move(*line);
        found->second->wake();
    }
}

void DovecotConnection::wake(std::vector<Waiter*>& waiters)
{
    for (Waiter* waiter : waiters) waiter->wake();
    waiters.clear();
}

void DovecotConnection::close(Error why)
{
    if (state_ == State::dead) return;
    state_ = State::dead;
    why_dead_ = std::move(why);
    if (stream_) stream_->close();
    outgoing_.clear();
    outgoing_bytes_ = 0;
    for (auto& [id, waiter] : pending_) waiter->wake();
    wake(greeting_waiters_);
}

asio::execution_context::id DovecotConnections::id;

std::shared_ptr<DovecotConnection> DovecotConnections::get(const std::string& server, const net::Executor& executor,
                                                           const DovecotConnection::Connect& connect)
{
    auto& connection = connections_[server];
    if (!connection || connection->is_dead()) {
        std::erase_if(connections_, [&](const auto& entry) {
            return entry.first != server && entry.second && entry.second->is_dead();
        });
        connection = std::make_shared<DovecotConnection>(executor, connect);
    }
    return connection;
}

}  // namespace ekiden::sasl
