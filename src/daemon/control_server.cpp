#include "daemon/control_server.hpp"

#include "base/text.hpp"
#include "control/request.hpp"
#include "net/line_reader.hpp"
#include "queue/listing.hpp"
#include "table/inquiries.hpp"

#include <sys/socket.h>
#include <unordered_set>
#include <unistd.h>

namespace ekiden::daemon {

namespace {

constexpr std::size_t connection_limit = 64;
constexpr std::chrono::seconds time_limit{60};
constexpr std::chrono::seconds request_limit{10};
// Beyond the places: who was thrown out needs a moment to be gone.
constexpr std::size_t most_leaving = 64;
constexpr std::size_t bulk_width = 256;     // changes under way at a time
constexpr std::size_t bulk_round = 8192;    // changes between two answers to the command

struct ChangeWord {
    std::string_view word;
    queue::Change change;
};
constexpr ChangeWord change_words[] = {
    {"hold", queue::Change::hold},     {"release", queue::Change::release}, {"requeue", queue::Change::requeue},
    {"expire", queue::Change::expire}, {"remove", queue::Change::remove},
};

}  // namespace

struct ControlServer::Bulk {
    queue::Change change;
    std::vector<mail::QueueId> ids;
    std::size_t next = 0, end = 0;
    std::string body{};
};

ControlServer::ControlServer(Needs needs, Fd socket)
    : needs_(std::move(needs)), socket_(std::move(socket)), gate_(needs_.home.executor())
{
}

void ControlServer::start()
{
    listener_ = std::make_unique<net::UnixListener>(needs_.home, std::move(socket_),
                                                    [this](net::UnixSocket socket) { accept(std::move(socket)); });
}

Task<void> ControlServer::stop()
{
    co_await asio::dispatch(needs_.home.executor(), use_task);
    gate_.close();
    if (listener_) listener_->stop();
    co_await gate_.wait();
}

void ControlServer::accept(net::UnixSocket socket)
{
    if (gate_.is_closed() || gate_.count() >= connection_limit + most_leaving) return;
    if (gate_.count() >= connection_limit) {
        if (silent_.empty()) return;
        net::Stream* oldest = silent_.front();
        silent_.pop_front();
        oldest->close();
    }
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return;
    Caller caller;
    caller.uid = peer.uid;
    caller.is_administrator = peer.uid == 0 || peer.uid == ::geteuid();
    asio::co_spawn(needs_.home.context(), serve(net::make_stream(std::move(socket)), caller, gate_.enter()),
                   asio::detached);
}

Task<void> ControlServer::serve(net::StreamPtr stream, Caller caller, net::Gate::Pass pass)
{
    stream->set_time_limit(request_limit);
    net::LineReader reader(*stream, 512);
    silent_.push_back(stream.get());
    auto line = co_await reader.read_line(control::max_request);
    silent_.remove(stream.get());
    if (!line) co_return;
    stream->set_time_limit(time_limit);
    Result<std::vector<std::string>> words =
        line->is_cut ? fail(ErrorCode::too_long, "request too long") : control::parse_request(line->text);
    Result<void> answered;
    if (words) answered = co_await answer(*stream, *words, caller);
    else answered = std::unexpected(words.error());
    if (!answered) {
        std::string text = "error " + base::printable(answered.error().text()) + "\n";
        (void)co_await stream->write(text);
    }
    stream->close();
}

// A successful answer has written its "ok" line; an error before that becomes the "error" line.
Task<Result<void>> ControlServer::answer(net::Stream& stream, const std::vector<std::string>& words,
                                         const Caller& caller)
{
    const std::string& verb = words[0];
    std::size_t count = words.size() - 1;
    if (verb == "list" && count == 1) co_return co_await list(stream, words[1]);
    if (verb == "flush" && count == 0) {
        needs_.wake_pickup();
        needs_.scheduler.flush_all();
        co_return co_await stream.write("ok\n");
    }
    if (verb == "flush-id" && count >= 1) {
        for (std::size_t i = 1; i < words.size(); ++i) {
            if (auto id = mail::parse_queue_id(words[i])) needs_.scheduler.flush(*id);
        }
        co_return co_await stream.write("ok\n");
    }
    if (verb == "flush-site" && count == 1) {
        needs_.scheduler.flush_site(words[1]);
        co_return co_await stream.write("ok\n");
    }
    if (verb == "pickup" && count == 0) {
        needs_.wake_pickup();
        co_return co_await stream.write("ok\n");
    }
    if (verb == "statistics" && count == 0) {
        auto s = needs_.store.statistics();
        std::string body = fmt::format(
            "ok\ncommits {}\nsyncs {}\nbatches {}\nbytes_written {}\nmessages {}\nsegments {}\nlive_bytes {}\ncorrupt_records {}\n",
            s.commits, s.syncs, s.batches, s.bytes_written, s.messages, s.segments, s.live_bytes, s.corrupt_records);
        for (const auto& [table, counts] : table::Inquiries::all()) {
            body += fmt::format("table {} found {} absent {} trouble {} remembered {} longest_ms {}\n", table,
                                counts.found, counts.absent, counts.trouble, counts.remembered, counts.longest.count());
        }
        co_return co_await stream.write(body);
    }
    if (verb == "change" && count >= 2) {
        if (!caller.is_administrator)
            co_return fail(ErrorCode::permission, "use of this command is reserved for the superuser");
        std::vector<std::string> ids(words.begin() + 2, words.end());
        co_return co_await change(stream, words[1], ids);
    }
    co_return fail(ErrorCode::syntax, "unknown request: " + verb);
}

Task<Result<void>> ControlServer::list(net::Stream& stream, const std::string& format)
{
    auto active = co_await needs_.scheduler.active_ids();
    auto kind = format == "json"       ? queue::ListingFormat::json
                : format == "detailed" ? queue::ListingFormat::detailed
                                       : queue::ListingFormat::text;
    // Written into memory where blocking is allowed, then sent: 100,000 messages are some 20 MB for a second or two.
    std::string text = "ok\n";
    auto work = [&]() -> Result<void> {
        return queue::write_listing(needs_.store, kind, [&](mail::QueueId id) { return active.contains(id.value); },
                                    [&](std::string_view piece) {
                                        text.append(piece);
                                        return true;
                                    });
    };
    Result<void> listed = co_await needs_.pool.run(work);
    if (!listed) co_return listed;
    constexpr std::size_t step = 1 << 20;
    for (std::size_t at = 0; at < text.size(); at += step) {
        stream.set_time_limit(time_limit);
        EKIDEN_CO_TRY(co_await stream.write(std::string_view(text).substr(at, step)));
    }
    co_return Result<void>{};
}

// Answers one line "changed ID [NEWID]" for each message that was changed; ids that are not there are left out. ALL
// means every message the change applies to, and answers lines too, so the command can count.
Task<Result<void>> ControlServer::change(net::Stream& stream, const std::string& what,
                                         const std::vector<std::string>& ids)
{
    auto word = std::find_if(std::begin(change_words), std::end(change_words),
                             [&](const ChangeWord& w) { return w.word == what; });
    if (word == std::end(change_words)) co_return fail(ErrorCode::syntax, "unknown change: " + what);
    auto applies = [&](queue::State state) {
        if (word->change == queue::Change::hold) return state != queue::State::held;
        if (word->change == queue::Change::release) return state == queue::State::held;
        return true;
    };
    std::unordered_set<std::uint64_t> asked, wanted;
    for (const std::string& text : ids) {
        if (auto id = mail::parse_queue_id(text)) asked.insert(id->value);
    }
    bool is_all = ids.size() == 1 && (ids[0] == "ALL" || ids[0].starts_with("ALL:"));
    std::string_view folder = is_all && ids[0].size() > 4 ? std::string_view(ids[0]).substr(4) : std::string_view();
    std::vector<mail::QueueId> in_order;
    // Ids that may be changed whatever their state need no look at the whole queue: what is not there says so itself.
    const bool looks_at_states =
        is_all || word->change == queue::Change::hold || word->change == queue::Change::release;
    if (looks_at_states)
        needs_.store.for_each([&](const queue::Summary& summary) {
            bool is_in_folder =
                folder.empty() || (folder == "hold" && summary.state == queue::State::held) ||
                (folder == "deferred" && summary.state == queue::State::deferred) ||
                ((folder == "incoming" || folder == "active") && summary.state == queue::State::incoming);
            if (!is_in_folder || !applies(summary.state)) return true;
            if (is_all)
                in_order.push_back(summary.id);
            else if (asked.contains(summary.id.value))
                wanted.insert(summary.id.value);
            return true;
        });
    if (!is_all) {
        for (const std::string& text : ids) {
            auto id = mail::parse_queue_id(text);
            if (id && (!looks_at_states || wanted.contains(id->value)) && asked.erase(id->value) > 0)
                in_order.push_back(*id);
        }
    }

    EKIDEN_CO_TRY(co_await stream.write("ok\n"));
    Bulk bulk{word->change, std::move(in_order)};
    while (bulk.next < bulk.ids.size()) {
        // In rounds, so that the command hears of progress and a gone command stops the work.
        bulk.end = std::min(bulk.ids.size(), bulk.next + bulk_round);
        net::Gate round(needs_.home.executor());
        for (std::size_t i = 0; i < bulk_width; ++i)
            asio::co_spawn(needs_.home.context(), change_next(bulk, round.enter()), asio::detached);
        co_await round.wait();
        stream.set_time_limit(time_limit);
        EKIDEN_CO_TRY(co_await stream.write(std::exchange(bulk.body, {})));
    }
    co_return Result<void>{};
}

Task<void> ControlServer::change_next(Bulk& bulk, net::Gate::Pass pass)
{
    while (bulk.next < bulk.end) {
        mail::QueueId id = bulk.ids[bulk.next++];
        Result<void> changed;
        std::string fresh_id;
        if (bulk.change == queue::Change::requeue) {
            auto fresh = co_await requeue(id);
            if (fresh) fresh_id = " " + format(*fresh);
            else changed = std::unexpected(fresh.error());
        } else {
            changed = co_await needs_.store.change(id, bulk.change);
        }
        if (changed) bulk.body += fmt::format("changed {}{}\n", format(id), fresh_id);
        else if (!changed.error().is(ErrorCode::not_found))
            bulk.body += fmt::format("failed {} {}\n", format(id), base::printable(changed.error().text()));
    }
}

Task<Result<mail::QueueId>> ControlServer::requeue(mail::QueueId id)
{
    EKIDEN_CO_TRY_VALUE(loaded, co_await needs_.store.load(id));
    auto intake = needs_.intake();
    rewrite::DraftOptions options;
    options.source = rewrite::Source::pickup;
    options.origin = loaded.envelope->origin;
    options.arrived_at = loaded.envelope->arrived_at;
    options.submitter_uid = ::geteuid();
    options.checks_content = false;
    rewrite::Draft draft = intake->open(std::move(options));
    draft.set_sender(loaded.envelope->sender);
    mail::Envelope& envelope = draft.envelope();
    envelope.body = loaded.envelope->body;
    envelope.is_smtputf8 = loaded.envelope->is_smtputf8;
    envelope.dsn_return = loaded.envelope->dsn_return;
    envelope.dsn_envid = loaded.envelope->dsn_envid;
    envelope.purpose = loaded.envelope->purpose;    // what only asks must not be delivered
    envelope.verp_delimiters = loaded.envelope->verp_delimiters;
    for (const queue::Pending& pending : loaded.pending) {
        mail::Recipient recipient = loaded.envelope->recipients[pending.index];
        // Aliases are expanded anew, as the change that made the operator requeue may be one of them.
        if (!recipient.original.empty()) recipient.address = std::exchange(recipient.original, {});
        draft.add_recipient(std::move(recipient));
    }
    auto reader = loaded.content->open();
    for (;;) {
        EKIDEN_CO_TRY_VALUE(piece, co_await reader->next());
        if (piece.empty()) break;
        draft.write(piece);
        if (draft.needs_flush()) EKIDEN_CO_TRY(co_await draft.flush());
    }
    Logger pickup(intake->settings()->str("syslog_name") + "/pickup");
    pickup.info("{}: uid={} from=<{}> orig_id={}", format(draft.id()), ::geteuid(), loaded.envelope->sender,
                format(id));
    auto queued = co_await draft.submit();
    if (!queued) co_return fail(ErrorCode::unavailable, queued.error().status.text);
    EKIDEN_CO_TRY(co_await needs_.store.change(id, queue::Change::remove));
    co_return (*queued)->id;
}

}  // namespace ekiden::daemon
