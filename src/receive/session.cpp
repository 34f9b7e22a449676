#include "receive/session.hpp"

#include "base/text.hpp"
#include "net/last_words.hpp"
#include "smtp/xtext.hpp"

#include <exception>

namespace ekiden::receive {

namespace {
// A command line and a usual message fit; bulk content lets the reader grow it.
constexpr std::size_t read_buffer = 8192;
// Pipelined commands are answered together, but not without bound.
constexpr std::size_t gathered_output = 16384;
}  // namespace

Session::Session(net::StreamPtr stream, ServicePtr service, ClientTable& clients, Counters& counters,
                 net::Endpoint peer, net::Endpoint local)
    : stream_(std::move(stream)), reader_(*stream_, read_buffer), service_(std::move(service)),
      options_(service_->options), log_(options_.logger), clients_(clients), counters_(counters),
      bare_newline_(options_.bare_newline)
{
    auto plain = [](const net::Address& address) -> net::Address {
        if (address.is_v6() && address.to_v6().is_v4_mapped())
            return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
        return address;
    };
    facts_.client_address = plain(peer.address);
    facts_.client_port = peer.port;
    facts_.server_address = plain(local.address);
    facts_.server_port = local.port;
    facts_.service_name = options_.service_name;
    facts_.shows_port = options_.logs_port;
    offer_ = options_.offered(options_.discarded);
    counters_.connections.fetch_add(1, std::memory_order_relaxed);
}

Session::~Session()
{
    if (has_heard_secret_) reader_.wipe();
    if (is_counted_) clients_.disconnect(client_key_, options_.limits.rate_unit);
}

void Session::presume(bool is_encrypted, std::string login)
{
    facts_.is_encrypted = is_encrypted;
    facts_.sasl_username = std::move(login);
    if (!facts_.sasl_username.empty()) facts_.sasl_method = "PLAIN";
}

Task<void> Session::run()
{
    try {
        if (co_await greet()) co_await converse();
        // A client that has its 221 may come again at once, on another core: its goodbye stands in the log before its
        // next hello.
        if (has_ended_ && !problem_) log_end();
        if (!problem_) {
            net::hold_last_words(*stream_);
            if (!flush_now()) co_await flush();
        }
        if (problem_ && problem_->is(ErrorCode::timeout)) {
            // The deadline that passed was for reading; give the farewell a moment, but do not wait for it.
            const Error reason = *problem_;
            problem_.reset();
            output_.clear();
            awaiting_footer_.clear();
            say(421, "4.4.2", options_.hostname + " Error: timeout exceeded");
            co_await add_footers();
            stream_->set_time_limit(std::chrono::seconds(5));
            (void)co_await stream_->write(output_);
            problem_ = reason;
        }
    } catch (const std::exception& trouble) {
        // A bug or no memory: this session ends, its message was not acknowledged, the others go on.
        log_.error("session with {}: {}", label_, trouble.what());
    }
    log_end();
    if (tls_ && !problem_) co_await tls_->say_goodbye();
    if (!problem_) net::end_writing(*stream_);
    stream_->close();
    try {
        if (milters_) {
            transaction_ = Transaction();
            co_await milters_->end(!facts_.helo_name.empty());
        }
        co_await complain();
    } catch (const std::exception& trouble) {
        log_.error("session with {}: {}", label_, trouble.what());
    }
}

Task<void> Session::complain()
{
    if ((troubles_ & options_.reported_troubles) == 0 || !service_->complain) co_return;
    Complaint complaint{.client = label_, .transcript = transcript_.text()};
    if (problem_) complaint.reason = problem_->is(ErrorCode::timeout) ? "timeout" : "lost connection";
    complaint.is_bounce = (troubles_ & options_.reported_troubles & trouble_bounce) != 0;
    co_await service_->complain(std::move(complaint));
}

void Session::finish_soon()
{
    is_finishing_ = true;
    if (is_waiting_ && !facts_.has_sender) stream_->close();
}

void Session::log_end()
{
    if (std::exchange(is_end_logged_, true)) return;
    if (problem_ && problem_->is(ErrorCode::timeout)) {
        counters_.timeouts.fetch_add(1, std::memory_order_relaxed);
        log_.info("timeout after {} from {}", place(), label_);
    } else if (problem_ && !problem_->is(ErrorCode::cancelled)) {
        counters_.lost.fetch_add(1, std::memory_order_relaxed);
        log_.info("lost connection after {} from {}", place(), label_);
    }
    if (!limit_trouble_.empty()) log_.warning("{}", limit_trouble_);
    log_.info("disconnect from {} {}", label_, tally_.text());
}

std::string Session::place() const
{
    if (where_ != "DATA" && where_ != "BDAT") return std::string(where_);
    if (transaction_.chunking == Transaction::Chunking::failed) return std::string(where_);
    return fmt::format("{} ({} bytes)", where_, where_ == "BDAT" ? transaction_.wire_bytes : transaction_.line_bytes);
}

Task<void> Session::converse()
{
    while (!has_ended_) {
        if (errors_ >= options_.hard_error_limit) {
            note_trouble(trouble_protocol);
            say(421, "4.7.0", options_.hostname + " Error: too many errors");
            log_.info("too many errors after {} from {}", where_, label_);
            co_return;
        }
        if (is_finishing_ && !facts_.has_sender) {
            say(421, "4.3.2", options_.hostname + " Error: service is shutting down");
            co_return;
        }
        net::LineReader::Line line;
        if (!take_buffered_line(line) && !co_await read_line(line)) co_return;
        co_await obey(line);
        if (problem_) co_return;
        if (milters_) co_await milters_->settle();
    }
}

// The usual case of a pipelining client: no system call, no coroutine.
bool Session::take_buffered_line(net::LineReader::Line& line)
{
    const std::string_view bytes = reader_.buffered();
    const auto line_feed = bytes.find('\n');
    if (line_feed == std::string_view::npos || line_feed > options_.line_limit) return false;
    line.had_bare_lf = line_feed == 0 || bytes[line_feed - 1] != '\r';
    line.text = bytes.substr(0, line_feed - (line.had_bare_lf ? 0 : 1));
    reader_.consume(line_feed + 1);
    return true;
}

Task<bool> Session::read_line(net::LineReader::Line& line)
{
    if (!flush_now() && !co_await flush()) co_return false;
    deadline_ = base::steady_now() + options_.timeout;
    stream_->set_deadline(deadline_);
    is_waiting_ = true;
    // Usually the whole line comes at once; LineReader puts together those that do not, and cuts those that are too long.
    if (reader_.buffered().empty()) {
        if (auto arrived = co_await stream_->read_some(reader_.space()); arrived) {
            reader_.add(*arrived);
            if (take_buffered_line(line)) {
                is_waiting_ = false;
                co_return true;
            }
        } else {
            is_waiting_ = false;
            problem_ = std::move(arrived).error();
            co_return false;
        }
    }
    auto got = co_await reader_.read_line(options_.line_limit);
    is_waiting_ = false;
    if (!got) {
        problem_ = std::move(got).error();
        co_return false;
    }
    line = *got;
    co_return true;
}

bool Session::is_bearable(const net::LineReader::Line& line)
{
    if (line.is_cut) {
        log_.warning("{}: request longer than {}: {}...", label_, options_.line_limit,
                     base::printable(without_response(line.text).substr(0, 30)));
    }
    const bool is_bare_lf_heeded =
        bare_newline_ != smtp::BareNewline::accept && bare_newline_ != smtp::BareNewline::normalize;
    return !line.had_bare_lf || !is_bare_lf_heeded || !refuse_bare_newline();
}

bool Session::is_text(std::string_view line)
{
    if (!options_.has_smtputf8 || base::is_ascii(line) || base::is_valid_utf8(line)) return true;
    note_heard("...");
    note_trouble(trouble_protocol);
    say(500, "5.5.2", "Error: bad UTF-8 syntax");
    return false;
}

bool Session::is_out_of_step(std::size_t row)
{
    if (reader_.buffered().empty() || row + 1 >= verb_count) return false;
    const Verb& verb = verbs()[row];
    const bool may_pipeline = facts_.protocol == "ESMTP" && (offer_ & smtp::ext_pipelining);
    if (!(verb.flags & ends_group) && (may_pipeline || (verb.flags & has_payload))) return false;
    if (!std::exchange(facts_.has_pipelined_early, true)) {
        // Whoever talks on where an answer decides what comes next does not listen: a spam engine, or one
        // protocol's content smuggled into another's command stream.
        const bool is_login = verb.handler == &Session::on_auth;
        log_.info("improper command pipelining after {} from {}: {}", verb.name, label_,
                  is_login ? "..." : smtp::escaped(without_responses(reader_.buffered().substr(0, 100))));
    }
    return true;
}

std::optional<bool> Session::refuse_early(std::size_t row, bool is_out_of_step)
{
    const Verb& verb = verbs()[row];
    if (is_refused_ && !(verb.flags & works_when_refused)) {
        say(503, "5.7.0", "Error: access denied for " + label_);
        return false;
    }
    if (options_.tls.is_demanded() && !facts_.is_encrypted && !(verb.flags & works_without_tls))
        return refuse(530, "5.7.0", "Must issue a STARTTLS command first");
    if (!is_out_of_step || !options_.forbids_bad_pipelining) return std::nullopt;
    note_trouble(trouble_protocol);
    say(554, "5.5.0", "Error: SMTP protocol synchronization");
    has_ended_ = true;
    return false;
}

Task<void> Session::obey(net::LineReader::Line line)
{
    if (!is_bearable(line)) {
        has_ended_ = true;
        co_return;
    }
    // Texts end at a NUL, as they do for whoever reads them behind us.
    line.text = line.text.substr(0, line.text.find('\0'));
    if (!is_text(line.text)) {
        if (errors_ + 1 >= options_.soft_error_limit) co_await flush();
        ++errors_;
        co_return;
    }
    smtp::Command command = smtp::parse_command(line.text);
    const bool is_known = !may_hear_secret_ || find_verb(command.verb) + 1 < verb_count;
    note_heard(is_known ? without_response(line.text) : std::string_view("..."));
    std::string replacement;
    if (!options_.command_filter.is_empty()) {
        const bool goes_on = co_await filter_command(line.text, replacement);
        if (!goes_on) co_return;
        if (!replacement.empty()) command = smtp::parse_command(replacement);
    }
    bool was_ok = false, is_noop = false;
    if (!options_.noop_commands.is_empty() && !command.verb.empty()) {
        const auto is_listed = co_await options_.noop_commands.matches_name(std::string(command.verb));
        is_noop = is_listed.value_or(false);
    }
    if (command.verb.empty()) {
        note_trouble(trouble_protocol);
        say(500, "5.5.2", "Error: bad syntax");
    } else if (is_noop) {
        was_ok = true;
        say(250, "2.0.0", "Ok");
        if (junk_++ > options_.junk_command_limit) ++errors_;
    } else {
        const std::size_t row = find_verb(command.verb);
        const Verb& verb = verbs()[row];
        where_ = verb.name;
        const bool is_login = verb.handler == &Session::on_auth;
        // What comes behind a login that was refused early may be the rest of it.
        if (row + 1 < verb_count) may_hear_secret_ = is_login;
        has_heard_secret_ = has_heard_secret_ || is_login;
        if (const auto refused = refuse_early(row, is_out_of_step(row))) was_ok = *refused;
        else was_ok = co_await (this->*verb.handler)(command);
        if (may_hear_secret_) reader_.wipe_consumed();
        tally_.add(row, was_ok && !(verb.flags & is_never_in_order));
        if ((verb.flags & is_junk) && junk_++ > options_.junk_command_limit) ++errors_;
    }
    if (problem_ || was_ok) {
        if (!problem_ && (errors_ >= options_.soft_error_limit || output_.size() > gathered_output)) co_await flush();
        co_return;
    }
    // Past the limit every reply is late; those said before it must not be.
    if (errors_ + 1 >= options_.soft_error_limit) co_await flush();
    ++errors_;
}

// smtpd_reject_footer: its table is asked just before the replies go out.
Task<void> Session::add_footers()
{
    while (!awaiting_footer_.empty()) {     // from the last one, so that the places of the others stay true
        AwaitingFooter awaiting = std::move(awaiting_footer_.back());
        awaiting_footer_.pop_back();
        co_await service_->policy->reject_footer().add(awaiting.reply, facts_);
        output_.replace(awaiting.start, awaiting.length, smtp::format(awaiting.reply));
    }
}

bool Session::flush_now()
{
    if (output_.empty()) return true;
    if (!awaiting_footer_.empty() || errors_ >= options_.soft_error_limit) return false;
    arm();
    const std::size_t sent = stream_->write_now(output_);
    output_.erase(0, sent);
    return output_.empty();
}

Task<bool> Session::flush()
{
    if (output_.empty()) co_return true;
    if (!awaiting_footer_.empty()) co_await add_footers();
    if (errors_ >= options_.soft_error_limit && options_.error_sleep_time.count() > 0)
        co_await net::sleep_for(options_.error_sleep_time);
    arm();
    auto sent = co_await stream_->write(output_);
    output_.clear();
    if (sent) co_return true;
    problem_ = std::move(sent).error();
    co_return false;
}

void Session::arm()
{
    if (!options_.uses_request_deadline) deadline_ = base::steady_now() + options_.timeout;
    else if (deadline_ == SteadyTime{}) deadline_ = base::steady_now() + options_.timeout;
    stream_->set_deadline(deadline_);
}

void Session::say(int code, std::string_view enhanced, std::string_view text)
{
    say(enhanced.empty() ? smtp::Reply(code, std::string(text))
                         : smtp::Reply(code, std::string(enhanced), std::string(text)));
}

void Session::say(smtp::Reply reply)
{
    if (options_.is_soft_bounce && reply.code >= 500 && reply.code < 600) {
        reply.code -= 100;
        if (reply.enhanced.starts_with('5')) reply.enhanced[0] = '4';
    }
    if (reply.code == 421 || reply.code == 521) has_ended_ = true;
    const std::size_t start = output_.size();
    smtp::append(output_, reply);
    note_said(std::string_view(output_).substr(start));
    if (service_->policy->reject_footer().is_wanted(reply))
        awaiting_footer_.push_back({start, output_.size() - start, std::move(reply)});
}

void Session::say_ready(const std::string& reply)
{
    output_ += reply;
    note_said(reply);
}

void Session::note_heard(std::string_view line)
{
    if (options_.reported_troubles) transcript_.heard(line);
    if (logs_dialogue_) log_.info("< {}: {}", label_, base::printable(line));
}

void Session::note_said(std::string_view replies)
{
    if (options_.reported_troubles) transcript_.said(replies);
    if (!logs_dialogue_) return;
    for (std::string_view line : base::split_any(replies, "\r\n")) log_.info("> {}: {}", label_, base::printable(line));
}

bool Session::refuse(int code, std::string_view enhanced, std::string_view text)
{
    // What a handler refuses by itself is the client's way of talking, or its rate.
    if (code >= 500 || code == 450) note_trouble(code >= 500 ? trouble_protocol : trouble_policy);
    say(code, enhanced, text);
    return false;
}

bool Session::refuse(check::Verdict verdict)
{
    counters_.refused.fetch_add(1, std::memory_order_relaxed);
    note_trouble(trouble_of(verdict.fault));
    if (verdict.must_disconnect) has_ended_ = true;
    say(std::move(verdict.reply));
    return false;
}

}  // namespace ekiden::receive
