#include "deliver/smtp/delivery.hpp"

#include "base/text.hpp"
#include "deliver/smtp/forwarded.hpp"
#include "base/watcher.hpp"
#include "mail/queue_id.hpp"

#include <algorithm>

namespace ekiden::deliver::smtp {

namespace {

// Only a message that has UTF-8 where ASCII was the rule must go to a peer that knows SMTPUTF8 (RFC 6531).
bool needs_smtputf8(const Job& job)
{
    const auto& envelope = *job.envelope;
    if (!base::is_ascii(envelope.sender)) return true;
    for (const std::uint32_t index : job.recipients) {
        if (!base::is_ascii(envelope.recipients[index].address)) return true;
    }
    if (!envelope.is_smtputf8) return false;
    const auto content = job.content->in_memory();
    if (!content) return true;
    return !base::is_ascii(content->substr(0, content->find("\n\n")));
}

}  // namespace

Delivery::Delivery(const Job& job, const Options& options, const Logger& logger, dns::Resolver& resolver,
                   std::shared_ptr<Reuse> reuse)
    : job_(job), options_(options), logger_(logger), resolver_(resolver), reuse_(std::move(reuse)),
      needs_smtputf8_(needs_smtputf8(job)), left_(job.recipients)
{
    outcomes_.reserve(left_.size());
}

Task<std::vector<Outcome>> Delivery::run(bool leaves_own)
{
    connect_started_at_ = base::wall_now();
    std::string problem;
    const auto destinations = parse_destinations(job_.next_hop, options_, problem);
    if (!problem.empty()) logger_.warning("{}", problem);
    for (std::size_t i = 0; i < destinations.size() && !is_done(); ++i) {
        const bool goes_on = co_await try_destination(destinations[i], i + 1 == destinations.size(), leaves_own);
        if (!goes_on) break;
    }
    if (!own_domain_.empty()) co_return std::move(outcomes_);
    // A next hop that means nothing is a mistake in the configuration; the mail waits until it is mended.
    const Met nothing{failed("4.3.5", "server configuration error"), {}};
    const auto rest = left_;
    for (const std::uint32_t recipient : rest) {
        const auto met = met_.find(recipient);
        const Met& last = met == met_.end() ? nothing : met->second;
        seal(recipient, last.fate, last.where);
    }
    co_return std::move(outcomes_);
}

Task<bool> Delivery::try_destination(Destination destination, bool is_last, bool leaves_own)
{
    const auto key = co_await reuse_key(destination);
    reuse_key_ = key.value_or("");
    Reuse::Pass pass(reuse_, key ? *key : destination.text);
    pass_ = &pass;
    while (SessionPtr idle = key ? reuse_->take(*key, options_) : nullptr) {
        const bool is_mine = co_await suits(*idle, destination);
        if (!is_mine) {
            idle->leave_now();
            continue;
        }
        idle->is_last_resort = idle->is_last_resort && is_last;
        const bool was_used = co_await use_session(destination, std::move(idle), true);
        if (was_used) break;
    }
    if (is_done()) co_return false;
    auto found = co_await find_candidates(resolver_, destination, options_);
    for (const std::string& warning : found.warnings) logger_.warning("{}", warning);
    if (found.failure && found.is_ours && leaves_own) own_domain_ = destination.host;
    if (found.failure) {
        remember(*found.failure, {});
        co_return !found.is_ours;
    }
    std::erase_if(found.list,
                  [&](const Candidate& c) { return std::ranges::find(spoken_to_, c.relay()) != spoken_to_.end(); });
    for (std::size_t i = 0; i < found.list.size() && !is_done(); ++i) {
        if (options_.session_limit > 0 && sessions_ >= options_.session_limit) break;
        const bool is_final = is_last && i + 1 == found.list.size();
        co_await try_candidate(destination, std::move(found.list[i]), is_final);
    }
    co_return !found.is_ours;
}

Task<void> Delivery::try_candidate(const Destination& destination, Candidate candidate, bool is_last)
{
    const std::string peer = candidate.peer();
    auto policy = co_await find_policy(destination, candidate.host);
    if (!policy) {
        remember(failed(policy.error().is(ErrorCode::refused) ? "4.3.0" : "4.7.5", policy.error().text()), {});
        co_return;
    }
    ekiden::smtp::Extensions ignored = 0;
    if (candidate.path.empty()) {
        auto words =
            co_await options_.ignored_keywords_by_address.find(net::format_address(candidate.endpoint.address));
        if (!words) {
            remember(failed("4.3.0", "local data error while talking to " + peer), {});
            co_return;
        }
        if (*words) {
            std::vector<std::string> unknown;
            bool is_silent = false;
            ignored = ekiden::smtp::parse_extension_list(**words, unknown, is_silent);
        }
    }
    const Workarounds workarounds = co_await find_workarounds(candidate);
    if (base::Watcher* watcher = base::watcher(); watcher && !watcher->permits("connect", candidate.relay())) {
        co_await tell(*watcher, destination, candidate, *policy);
        remember(failed("4.4.1", "not connected to " + candidate.relay()), {});
        co_return;
    }
    // A second time in plain text where TLS cannot be had and need not.
    for (bool is_plain = false;; is_plain = true) {
        auto stream = co_await connect(candidate);
        if (!stream) {
            const std::string text = "connect to " + candidate.relay() + ": " + stream.error().text();
            if (candidate.path.empty()) logger_.info("{}", text);
            remember(failed("4.4.1", text, true), {});
            co_return;
        }
        auto session = std::make_unique<Session>(std::move(*stream), candidate.host, peer, candidate.relay());
        session->reply_filter = options_.reply_filter;
        session->log = &logger_;
        session->message_id = mail::format(job_.envelope->id);
        Where where{.relay = session->relay(), .remote_mta = session->host()};
        session->policy = is_plain ? "-" : policy->digest();
        tls::ClientPolicy demanded = *policy;
        if (is_plain) demanded.level = tls::Level::none;
        auto opened = co_await open(*session, destination, std::move(demanded), ignored, workarounds);
        if (!opened.refusal) {
            ++sessions_;
            session->is_last_resort = is_last || (options_.session_limit > 0 && sessions_ >= options_.session_limit);
            co_await use_session(destination, std::move(session), false);
            co_return;
        }
        if (!is_plain && opened.may_go_plain) {
            logger_.info("{}: {}", mail::format(job_.envelope->id), opened.refusal->status.text);
            continue;
        }
        connected_at_ = base::wall_now();
        meet(*opened.refusal, where, is_last);
        co_await session->leave(options_);
        co_return;
    }
}

// A table that does not answer leaves the usual ones.
Task<Workarounds> Delivery::find_workarounds(const Candidate& candidate) const
{
    Workarounds found = options_.workarounds;
    if (candidate.path.empty() && !options_.workarounds_by_address.is_empty()) {
        const auto words =
            co_await options_.workarounds_by_address.find(net::format_address(candidate.endpoint.address), &logger_);
        if (words && *words) found = parse_workarounds(**words);
    }
    if (base::wall_now() - job_.envelope->arrived_at < options_.dot_delay_after) found.delays_dot = false;
    co_return found;
}

Task<bool> Delivery::use_session(const Destination& destination, SessionPtr session, bool probes)
{
    const bool is_last = session->is_last_resort;
    connected_at_ = base::wall_now();
    session->message_id = mail::format(job_.envelope->id);
    Message message = message_for_rest();
    if (const auto mapped = co_await map_addresses(message); !mapped) {
        logger_.warning("{}: {}", mail::format(job_.envelope->id), mapped.error().text());
        meet(fate_of(rewrite::local_data_error(), session->peer()), {.relay = session->relay()}, is_last);
        spoken_to_.push_back(session->relay());
        co_await session->leave(options_);
        co_return true;
    }
    if (options_.forwards_client) {
        auto commands = forward_commands(*job_.envelope, session->offer());
        message.forward_address = std::move(commands.address);
        message.forward_session = std::move(commands.session);
    }
    message.says_no_author = options_.login.says_dummy_author && !session->login.empty();
    ekiden::smtp::Offer offer = session->offer();
    if (!reuse_->takes_chunks(session->relay()))
        offer.bits &= ~static_cast<ekiden::smtp::Extensions>(ekiden::smtp::ext_chunking);
    Dialogue dialogue(message, offer, options_.is_lmtp, session->peer(), probes);
    const bool converts = options_.outgoing.converts(message.body == mail::BodyType::eight_bit,
                                                     session->offer().has(ekiden::smtp::ext_8bitmime));
    std::optional<rewrite::OutgoingContent> filter;
    if (options_.outgoing.changes_content(converts))
        filter.emplace(options_.outgoing, converts, mail::format(job_.envelope->id), logger_);
    co_await session->converse(dialogue, *job_.content, options_, filter ? &*filter : nullptr);
    if (dialogue.is_stale()) {
        session->leave_now();
        co_return false;
    }
    if (dialogue.is_misunderstood()) {
        logger_.warning("{}: host {} offers CHUNKING and does not know BDAT: the next message goes with DATA",
                        session->message_id, session->relay());
        reuse_->give_no_chunks_to(session->relay());
    }
    spoken_to_.push_back(session->relay());
    Where where{.relay = session->relay(), .remote_mta = session->host(), .uses = static_cast<int>(session->uses),
                .reports_success = session->offer().has(ekiden::smtp::ext_dsn)};
    const auto tried = left_;
    std::vector<std::string> said;   // one line a reason, not one a recipient
    for (std::size_t i = 0; i < tried.size(); ++i) {
        const Fate& fate = *dialogue.fates()[i];
        if (fate.kind != Outcome::Kind::deferred || is_last) {
            seal(tried[i], fate, where);
            continue;
        }
        say_once(said, fate);
        met_[tried[i]] = {fate, where};
    }
    bool is_clean = session->may_quit();
    if (is_clean && dialogue.needs_reset()) is_clean = co_await session->reset(options_);
    bool wants_reuse = is_clean && !reuse_key_.empty() && reuse_->may_keep(*session, options_) &&
                       (options_.reuses_tls || session->protection == Protection::none);
    if (wants_reuse && !(options_.reuses_on_demand && pass_ && pass_->is_busy())) {
        wants_reuse = false;
        if (!options_.reused_destinations.is_empty()) {
            const auto is_listed = co_await options_.reused_destinations.matches_name(destination.host);
            wants_reuse = is_listed.value_or(false);
        }
    }
    if (wants_reuse) reuse_->keep(reuse_key_, std::move(session), options_);
    else co_await session->leave(options_);
    co_return true;
}

void Delivery::meet(const Fate& fate, const Where& where, bool is_last)
{
    if (fate.kind == Outcome::Kind::deferred && !is_last) {
        logger_.info("{}: {}", mail::format(job_.envelope->id), fate.status.text);
        remember(fate, where);
        return;
    }
    const auto rest = left_;
    for (const std::uint32_t recipient : rest) seal(recipient, fate, where);
}

void Delivery::remember(const Fate& fate, const Where& where)
{
    for (const std::uint32_t recipient : left_) met_[recipient] = {fate, where};
}

void Delivery::say_once(std::vector<std::string>& said, const Fate& fate) const
{
    if (std::ranges::find(said, fate.status.text) != said.end()) return;
    logger_.info("{}: {}", mail::format(job_.envelope->id), fate.status.text);
    said.push_back(fate.status.text);
}

void Delivery::seal(std::size_t recipient, const Fate& fate, const Where& where)
{
    Outcome outcome;
    outcome.kind = fate.kind;
    outcome.recipient = static_cast<std::uint32_t>(recipient);
    outcome.status = fate.status;
    outcome.relay = where.relay;
    outcome.connection_uses = where.uses;
    if (!fate.reply.empty()) {
        outcome.remote_mta = where.remote_mta;
        outcome.diagnostic_type = "smtp";
        outcome.diagnostic_text = fate.reply;
    }
    if (fate.kind == Outcome::Kind::delivered) {
        outcome.is_reported_by_peer = where.reports_success;
        outcome.action = options_.assumes_final && !where.reports_success ? "delivered" : "relayed";
    }
    outcome.is_destination_trouble = fate.is_peer_trouble;
    outcome.connect_started_at = connect_started_at_;
    outcome.ended_at = base::wall_now();
    outcome.connected_at = connected_at_ == WallTime{} ? outcome.ended_at : connected_at_;
    outcomes_.push_back(std::move(outcome));
    std::erase(left_, static_cast<std::uint32_t>(recipient));
}

Message Delivery::message_for_rest() const
{
    const auto& envelope = *job_.envelope;
    Message message;
    message.sender = envelope.sender;
    message.size = envelope.size;
    message.body = envelope.body;
    message.dsn_return = envelope.dsn_return;
    message.dsn_envid = envelope.dsn_envid;
    message.needs_smtputf8 = needs_smtputf8_;
    message.wants_smtputf8 = envelope.is_smtputf8;
    message.is_quoted = options_.is_quoted;
    if (envelope.only_asks())
        message.question = options_.asks_at_data ? Message::Question::data : Message::Question::rcpt;
    message.recipients.reserve(left_.size());
    for (const std::uint32_t index : left_) {
        const auto& recipient = envelope.recipients[index];
        std::string original = recipient.dsn_original;
        if (original.empty())
            original = "rfc822;" + (recipient.original.empty() ? recipient.address : recipient.original);
        message.recipients.push_back({recipient.address, std::move(original), recipient.notify});
    }
    return message;
}

Task<Result<void>> Delivery::map_addresses(Message& message) const
{
    const rewrite::Generic& generic = options_.outgoing.generic();
    if (generic.is_empty()) co_return Result<void>{};
    EKIDEN_CO_TRY_VALUE(sender, co_await generic.map(message.sender, &logger_));
    message.sender = std::move(sender);
    for (auto& recipient : message.recipients) {
        EKIDEN_CO_TRY_VALUE(address, co_await generic.map(recipient.address, &logger_));
        recipient.address = std::move(address);
    }
    co_return Result<void>{};
}

}  // namespace ekiden::deliver::smtp
