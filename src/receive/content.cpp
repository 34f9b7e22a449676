// DATA and BDAT: bytes from the wire into the draft, and the final word about the message.
#include "base/text.hpp"
#include "mail/queue_id.hpp"
#include "receive/session.hpp"

namespace ekiden::receive {

using check::Stage;
using check::Verdict;

namespace {

// Which of notify_classes it is when the waist does not take a message.
TroubleClass trouble_of_refusal(const rewrite::Refusal& why)
{
    if (why.is_by_rule) return trouble_policy;
    if (why.status.code == "4.6.0") return trouble_data;             // aliases without end
    if (why.smtp_code < 500) return trouble_resource;                // no room, or a disk that fails
    return why.smtp_code == 550 ? trouble_policy : trouble_bounce;   // content rules; size and loops
}

}  // namespace

// What DATA and the first BDAT have in common. `refusal` gets the reply when there will be no content.
Task<bool> Session::begin_content(std::optional<smtp::Reply>& refusal)
{
    if (!transaction_.draft) {
        refusal = facts_.has_sender ? smtp::Reply(554, "5.5.1", "Error: no valid recipients")
                                    : smtp::Reply(503, "5.5.1", "Error: need RCPT command");
        co_return false;
    }
    facts_.command = where_;
    Verdict verdict;
    if (!transaction_.discards) verdict = co_await service_->policy->evaluate(Stage::data, facts_);
    facts_.command.clear();
    if (milters_ && verdict.action != Verdict::Action::reject) {
        transaction_.remember(verdict);
        verdict = co_await milters_->data();
    }
    if (verdict.action == Verdict::Action::reject) {
        counters_.refused.fetch_add(1, std::memory_order_relaxed);
        note_trouble(trouble_of(verdict.fault));
        if (verdict.must_disconnect) has_ended_ = true;
        refusal = std::move(verdict.reply);
        co_return false;
    }
    transaction_.remember(verdict);
    facts_.is_held = transaction_.holds;
    transaction_.wire_bytes = transaction_.line_bytes = 0;
    for (const auto& header : transaction_.prepend) transaction_.draft->prepend_field(header);
    transaction_.prepend.clear();
    co_return true;
}

Task<bool> Session::on_data(smtp::Command command)
{
    if (transaction_.chunking != Transaction::Chunking::none) co_return refuse(503, "5.5.1", "Error: DATA after BDAT");
    if (transaction_.draft && !command.arguments.empty()) co_return refuse(501, "5.5.4", "Syntax: DATA");
    std::optional<smtp::Reply> refusal;
    if (!co_await begin_content(refusal)) {
        say(std::move(*refusal));
        co_return false;
    }
    say(354, "", "End data with <CR><LF>.<CR><LF>");
    if (!co_await receive_dotted()) co_return false;
    co_return co_await finish_message("");
}

namespace {

// Decoded content between the reader's buffer and the draft; never held across a co_await, so one per thread will do.
std::string& scratch()
{
    static thread_local std::string buffer;
    buffer.clear();
    return buffer;
}

}  // namespace

Task<bool> Session::receive_dotted()
{
    smtp::DotDecoder decoder(bare_newline_);
    for (bool is_complete = false; !is_complete;) {
        if (reader_.buffered().empty() && !co_await fill_content()) co_return false;
        std::string_view wire = reader_.buffered();
        const std::string_view before = wire;
        std::string& content = scratch();
        is_complete = decoder.decode(wire, content);
        const auto used = before.size() - wire.size();
        transaction_.count_wire(before.substr(0, used));
        if (!is_lost(decoder.saw_bare_newline())) transaction_.draft->write(content);
        reader_.consume(used);
        // A disk that fails is told about when the whole message has been heard: submit() refuses then.
        if (transaction_.draft->needs_flush()) (void)co_await transaction_.draft->flush();
    }
    transaction_.saw_bare_newline = decoder.saw_bare_newline();
    co_return true;
}

Task<bool> Session::fill_content()
{
    if (!co_await flush()) co_return false;
    if (options_.uses_request_deadline) {
        // As long as bytes come at the least rate that is asked for, the clock does not run.
        const auto earned = std::chrono::seconds(transaction_.wire_bytes / options_.minimum_data_rate);
        stream_->set_deadline(std::min(deadline_ + earned, base::steady_now() + options_.timeout));
    } else {
        arm();
    }
    auto chunk = co_await reader_.read_chunk();
    if (chunk) co_return true;
    problem_ = std::move(chunk).error();
    co_return false;
}

Task<bool> Session::on_bdat(smtp::Command command)
{
    smtp::ChunkHeader chunk;
    if (!smtp::parse_chunk_header(command.arguments, chunk)) {
        // Where this chunk ends, and what is a command again, can no longer be known.
        log_.warning("{}: malformed BDAT command syntax from {}: {}", queue_name(), label_,
                     base::printable(command.line.substr(0, 100)));
        co_return refuse(521, "5.5.4", "Syntax: BDAT count [LAST]");
    }
    if (!(offer_ & smtp::ext_chunking)) co_return refuse(521, "5.5.1", "Error: command not implemented");
    if (chunk.size == 0 && !chunk.is_last) {
        log_.warning("{}: null BDAT request from {}", queue_name(), label_);
        co_return refuse(551, "5.7.1", "Null BDAT request");
    }
    std::optional<smtp::Reply> refusal;
    const auto limit = options_.message_size_limit;
    if (transaction_.chunking == Transaction::Chunking::failed) {
        refusal = smtp::Reply(551, "5.0.0", fmt::format("Discarded {} bytes after earlier error", chunk.size));
    } else {
        if (transaction_.chunking == Transaction::Chunking::none) co_await begin_content(refusal);
        if (!refusal && limit > 0 && (chunk.size > limit || transaction_.wire_bytes > limit - chunk.size)) {
            log_.warning("{}: BDAT request from {} exceeds message size limit", facts_.queue_id, label_);
            refusal = smtp::Reply(552, "5.3.4", "Chunk exceeds message size limit");
        }
    }
    // A refused chunk is on its way already: it is read and dropped, or its bytes would be taken for commands.
    transaction_.chunking = refusal ? Transaction::Chunking::failed : Transaction::Chunking::active;
    if (!co_await receive_chunk(chunk.size, !refusal)) co_return false;
    if (refusal) {
        say(std::move(*refusal));
        if (chunk.is_last) reset_transaction();
        else {
            transaction_.chunking = Transaction::Chunking::failed;
            transaction_.draft.reset();
            facts_.queue_id.clear();
        }
        co_return false;
    }
    if (!chunk.is_last) {
        say(250, "2.0.0", fmt::format("Ok: {} bytes", chunk.size));
        co_return true;
    }
    std::string& content = scratch();
    transaction_.chunks.finish(content);
    transaction_.count_lines(content);
    transaction_.draft->write(content);
    transaction_.saw_bare_newline = transaction_.chunks.saw_bare_newline();
    const std::string size_text = fmt::format("{} bytes ", transaction_.line_bytes);
    co_return co_await finish_message(size_text);
}

Task<bool> Session::receive_chunk(std::uint64_t size, bool is_kept)
{
    while (size > 0) {
        if (reader_.buffered().empty() && !co_await fill_content()) co_return false;
        const std::string_view wire =
            reader_.buffered().substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(size, SIZE_MAX)));
        size -= wire.size();
        if (is_kept) {
            std::string& content = scratch();
            transaction_.chunks.decode(wire, content);
            transaction_.count_lines(content);
            if (!is_lost(transaction_.chunks.saw_bare_newline())) transaction_.draft->write(content);
            transaction_.count_wire(wire);
        }
        reader_.consume(wire.size());
        if (is_kept && transaction_.draft->needs_flush()) (void)co_await transaction_.draft->flush();
    }
    co_return true;
}

// `size_text` is "31 bytes " after BDAT. The only place that says a message is ours now.
Task<bool> Session::finish_message(std::string_view size_text)
{
    where_ = "END-OF-MESSAGE";
    const auto bytes = transaction_.wire_bytes;
    if (bytes > 65536) reader_.shrink();
    facts_.message_size = bytes;
    if (transaction_.saw_bare_newline && refuse_bare_newline()) {
        reset_transaction();
        co_return false;
    }
    Verdict verdict;
    if (!transaction_.discards) verdict = co_await service_->policy->evaluate(Stage::end_of_data, facts_);
    if (verdict.action == Verdict::Action::reject) {
        reset_transaction();
        co_return refuse(std::move(verdict));
    }
    transaction_.remember(verdict);

    const std::string id = facts_.queue_id;
    bool is_ours = transaction_.discards;   // DISCARD: the sender is told that it arrived
    if (!is_ours) {
        transaction_.apply_to_draft();
        if (milters_) transaction_.draft->use_milters(milters_->chain(), milters_->content_values());
        auto queued = co_await transaction_.draft->submit();
        is_ours = queued.has_value();
        if (!is_ours) {
            const auto& why = queued.error();
            counters_.refused.fetch_add(1, std::memory_order_relaxed);
            note_trouble(trouble_of_refusal(why));
            if (why.smtp_code == 552) log_.warning("{}: queue file size limit exceeded", id);
            if (why.wire.empty()) say(why.smtp_code, why.status.code, why.status.text);
            else say(check::milter_reply(why.wire));
        }
    }
    if (is_ours) {
        // Whoever delivers mail has earned a clean slate.
        errors_ = junk_ = 0;
        counters_.messages.fetch_add(1, std::memory_order_relaxed);
        counters_.bytes.fetch_add(bytes, std::memory_order_relaxed);
        say(250, "2.0.0", fmt::format("Ok: {}queued as {}", size_text, id));
    }
    reset_transaction();
    forwarded_.reset();
    transcript_.forget_beyond(options_.history_limit);
    co_return is_ours;
}

// smtpd_forbid_bare_newline = reject or note. True: refused; where it was a command, the session ends with it.
bool Session::refuse_bare_newline()
{
    if (bare_newline_ != smtp::BareNewline::reject && bare_newline_ != smtp::BareNewline::note) return false;
    if (bare_newline_ == smtp::BareNewline::note) {
        log_.info("bare <LF> received after {} from {}", place(), label_);
        return false;
    }
    if (facts_.recipients.size() == 1) facts_.recipient = facts_.recipients.front();
    log_reject(where_, "bare <LF> received");
    facts_.recipient.clear();
    note_trouble(trouble_protocol);
    say(options_.bare_newline_code, options_.bare_newline_code >= 500 ? "5.5.2" : "4.5.2",
        options_.hostname + " Error: bare <LF> received");
    return true;
}

}  // namespace ekiden::receive
