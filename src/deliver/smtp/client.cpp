#include "deliver/smtp/client.hpp"

#include "base/text.hpp"
#include "smtp/dot_stream.hpp"

#include <sys/socket.h>

namespace ekiden::deliver::smtp {

namespace {

// Content is encoded and written in pieces of about this size: large enough to make system calls rare, small enough to
// stay in the processor's cache.
constexpr std::size_t write_size = 128 * 1024;
// In front of each chunk, for the command that goes with it: how long the chunk is, is known when it is encoded.
constexpr std::size_t chunk_room = 32;
// However patient smtp_quit_timeout is, the outcome of the delivery must not wait for a farewell.
constexpr seconds longest_farewell{5};

Trouble trouble_of(const Error& error)
{
    switch (error.code()) {
    case ErrorCode::timeout: return Trouble::timed_out;
    case ErrorCode::protocol:
    case ErrorCode::syntax:
    case ErrorCode::too_long: return Trouble::garbage;
    default: return Trouble::lost;
    }
}

Task<void> say_farewell(net::StreamPtr stream)
{
    stream->set_time_limit(seconds(1));
    (void)co_await stream->write("QUIT\r\n");
    stream->close();
}

}  // namespace

Session::Session(net::StreamPtr stream, std::string host, std::string peer, std::string relay)
    : opened_at(base::steady_now()), stream_(std::move(stream)), reader_(*stream_, 1024), host_(std::move(host)),
      peer_(std::move(peer)), relay_(std::move(relay))
{
}

Task<std::expected<ekiden::smtp::Reply, Trouble>> Session::read_reply()
{
    for (;;) {
        auto line = co_await reader_.read_line(ekiden::smtp::max_reply_line);
        if (!line) co_return std::unexpected(trouble_of(line.error()));
        std::string replaced;
        if (!reply_filter.is_empty()) {
            replaced = co_await filtered(std::string(line->text));
            line->text = replaced;
        }
        auto is_complete = parser_.feed(line->text);
        if (const auto stray = parser_.take_stray(); stray && log) {
            log->warning("{}: non-{} response from {}: {}", message_id, is_lmtp_ ? "LMTP" : "ESMTP", relay_, *stray);
        }
        if (!is_complete) co_return std::unexpected(Trouble::garbage);
        if (*is_complete) co_return parser_.take();
    }
}

// Without the filter nobody knows whether a refusal is meant; mail that was taken is not sent again.
Task<std::string> Session::filtered(std::string line)
{
    table::Answer answer = co_await reply_filter.find(line, log);
    if (answer && *answer && log)
        log->info("{}: replacing server reply \"{}\" with \"{}\"", relay_, base::printable(line),
                  base::printable(**answer));
    if (answer) co_return *answer ? std::move(**answer) : std::move(line);
    if (!line.starts_with('5')) co_return line;
    line.front() = '4';
    if (line.size() > 4 && mail::enhanced_code_length(std::string_view(line).substr(4)) > 0) line[4] = '4';
    co_return line;
}

Task<std::optional<Trouble>> Session::write(std::string_view bytes)
{
    auto written = co_await stream_->write(bytes);
    if (written) co_return std::nullopt;
    co_return trouble_of(written.error());
}

Task<std::optional<Fate>> Session::greet(const Options& options, ekiden::smtp::Extensions ignored,
                                         Workarounds workarounds)
{
    HandshakeOptions hello = options.handshake;
    hello.workarounds = workarounds;
    hello.ignored |= ignored;
    is_lmtp_ = hello.is_lmtp;
    Handshake handshake(std::move(hello), peer_);
    auto failure = co_await run(handshake, options);
    if (handshake.is_behind_firewall() && workarounds.has_any()) {
        delays_dot_ = workarounds.delays_dot;
        if (log) log->info("{}: enabling PIX workarounds: {} for {}", message_id, text_of(workarounds), relay_);
    }
    co_return failure;
}

Task<std::optional<Fate>> Session::greet_again(const Options& options, ekiden::smtp::Extensions ignored)
{
    HandshakeOptions hello = options.handshake;
    hello.ignored |= ignored;
    Handshake handshake(std::move(hello), peer_);
    handshake.begin_anew();
    co_return co_await run(handshake, options);
}

Task<std::optional<Fate>> Session::run(Handshake& handshake, const Options& options)
{
    while (!handshake.is_done()) {
        stream_->set_time_limit(options.limits.of(handshake.step()));
        if (const std::string output = handshake.take_output(); !output.empty()) {
            if (auto trouble = co_await write(output)) {
                handshake.on_trouble(*trouble);
                break;
            }
        }
        auto reply = co_await read_reply();
        if (reply) handshake.on_reply(*reply);
        else handshake.on_trouble(reply.error());
    }
    may_quit_ = handshake.may_quit();
    offer_ = handshake.offer();
    co_return handshake.failure();
}

Task<Result<bool>> Session::secure(tls::Client& client, tls::ClientPolicy wanted)
{
    may_quit_ = false;
    const bool must_match = tls::is_matched(wanted.level);
    auto secured = co_await client.shake_hands(std::move(stream_), std::move(wanted), relay_);
    if (!secured) co_return std::unexpected(std::move(secured).error());
    tls_ = secured->connection.get();
    stream_ = std::move(secured->connection);
    reader_.discard_buffered();
    reader_.use_stream(*stream_);
    may_quit_ = true;
    protection = must_match && secured->is_matched ? Protection::verified : Protection::encrypted;
    co_return secured->is_trusted;
}

Task<std::expected<ekiden::smtp::Reply, Trouble>> Session::ask(std::string_view line, seconds time_limit)
{
    stream_->set_time_limit(time_limit);
    if (auto trouble = co_await write(line)) co_return std::unexpected(*trouble);
    co_return co_await read_reply();
}

Task<void> Session::converse(Dialogue& dialogue, const queue::Content& content, const Options& options,
                             rewrite::OutgoingContent* filter)
{
    ++uses;
    while (!dialogue.is_done()) {
        stream_->set_time_limit(options.limits.of(dialogue.step()));
        std::optional<Trouble> trouble;
        if (const std::string output = dialogue.take_output(); !output.empty()) trouble = co_await write(output);
        if (!trouble && dialogue.wants_content()) {
            trouble = co_await send_content(dialogue, content, options, filter);
            if (!trouble) {
                if (dialogue.wants_content()) dialogue.content_sent();
                continue;
            }
        }
        if (trouble) {
            if (filter && filter->is_stopped()) dialogue.abandon(fate_of(filter->problem(), peer_));
            else dialogue.on_trouble(*trouble);
            break;
        }
        auto reply = co_await read_reply();
        if (reply) dialogue.on_reply(*reply);
        else dialogue.on_trouble(reply.error());
    }
    if (dialogue.is_broken()) set_broken();
}

Task<std::optional<Trouble>> Session::send_chunk(Dialogue& dialogue, std::string& block, bool is_last)
{
    while (dialogue.must_hear_before(is_last)) {
        auto reply = co_await read_reply();
        if (!reply) co_return reply.error();
        dialogue.on_reply(*reply);
        if (!dialogue.wants_content()) co_return std::nullopt;
    }
    const std::string command = chunk_command(block.size() - chunk_room, is_last);
    const std::size_t begin = chunk_room - command.size();
    block.replace(begin, command.size(), command);
    auto trouble = co_await write(std::string_view(block).substr(begin));
    if (!trouble && !is_last) dialogue.chunk_sent();
    co_return trouble;
}

Task<std::optional<Trouble>> Session::send_content(Dialogue& dialogue, const queue::Content& content,
                                                   const Options& options, rewrite::OutgoingContent* filter)
{
    using Encoder = ekiden::smtp::DotEncoder;
    const bool in_chunks = dialogue.uses_chunks();
    const std::size_t room = in_chunks ? chunk_room : 0;
    Encoder encoder(options.line_length_limit, in_chunks ? Encoder::Form::plain : Encoder::Form::dots);
    std::string block(room, ' '), changed;
    const SteadyTime began_at = base::steady_now();
    std::uint64_t sent = 0;
    // With smtp_per_request_deadline the whole transfer has one time limit, which grows with what was sent at the lowest rate.
    const auto limit_time = [&] {
        if (options.min_data_rate == 0) stream_->set_time_limit(options.limits.data_transfer);
        else
            stream_->set_deadline(began_at + options.limits.data_transfer +
                                  seconds((sent += block.size()) / options.min_data_rate));
    };
    const auto reader = content.open();
    for (;;) {
        auto piece = co_await reader->next();
        // The peer must not take half a message for a whole one: the connection ends here.
        if (!piece) co_return Trouble::local;
        if (piece->empty()) break;
        for (std::string_view rest = *piece; !rest.empty();) {
            // A full block goes out when it is known that it is not the last.
            if (block.size() >= write_size) {
                limit_time();
                auto trouble = in_chunks ? co_await send_chunk(dialogue, block, false) : co_await write(block);
                if (trouble || !dialogue.wants_content()) co_return trouble;
                block.resize(room);
            }
            std::string_view part = rest.substr(0, write_size);
            rest.remove_prefix(part.size());
            if (filter) {
                changed.clear();
                const bool goes_on = co_await filter->feed(part, changed);
                if (!goes_on) co_return Trouble::local;
                part = changed;
            }
            encoder.encode(part, block);
        }
    }
    if (filter) {
        changed.clear();
        const bool goes_on = co_await filter->finish(changed);
        if (!goes_on) co_return Trouble::local;
        encoder.encode(changed, block);
    }
    encoder.finish(block);
    if (encoder.broke_lines() && log)
        log->info("{}: breaking line > {} bytes with <CR><LF>SPACE", message_id, options.line_length_limit);
    limit_time();
    if (in_chunks) co_return co_await send_chunk(dialogue, block, true);
    if (delays_dot_) {
        constexpr std::string_view dot = ".\r\n";
        if (auto trouble = co_await write(std::string_view(block).substr(0, block.size() - dot.size())))
            co_return trouble;
        co_await net::sleep_for(options.dot_delay);
        stream_->set_time_limit(options.limits.data_transfer);
        co_return co_await write(dot);
    }
    co_return co_await write(block);
}

Task<bool> Session::reset(const Options& options)
{
    if (!may_quit_) co_return false;
    stream_->set_time_limit(std::min(options.limits.reset, longest_farewell));
    if (!co_await write("RSET\r\n")) {
        auto reply = co_await read_reply();
        if (reply && reply->is_positive()) co_return true;
        if (reply && reply->code != 421) co_return false;   // it still listens to QUIT
    }
    set_broken();
    co_return false;
}

Task<void> Session::leave(const Options& options)
{
    if (may_quit_) {
        stream_->set_time_limit(std::min(options.limits.quit, longest_farewell));
        const auto trouble = co_await write("QUIT\r\n");
        if (!trouble && !options.skips_quit_reply) (void)co_await read_reply();
        if (tls_) co_await tls_->say_goodbye();
    }
    may_quit_ = false;
    if (stream_) stream_->close();
}

void Session::leave_now()
{
    if (may_quit_ && tls_) {
        // Sealing the farewell may have to wait for the socket: it goes on alone.
        auto executor = stream_->executor();
        tls_ = nullptr;
        asio::co_spawn(executor, say_farewell(std::move(stream_)), asio::detached);
    } else if (may_quit_ && stream_->native_handle() >= 0) {
        constexpr std::string_view quit = "QUIT\r\n";
        (void)!::send(stream_->native_handle(), quit.data(), quit.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    may_quit_ = false;
    if (stream_) stream_->close();
}

}  // namespace ekiden::deliver::smtp
