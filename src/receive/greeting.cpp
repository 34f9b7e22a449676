// The beginning of a conversation: who is the client, may it come in, and what does it call itself.
#include "base/text.hpp"
#include "receive/client.hpp"
#include "receive/session.hpp"
#include "smtp/xtext.hpp"

namespace ekiden::receive {

// A greeting name is printed between "<" and ">", in comments of Received lines and in logs: nothing in it may end those.
std::string neutral_name(std::string_view name)
{
    std::string result = base::printable(name);
    for (char& c : result) {
        if (std::string_view(" <>()\\\";@").contains(c)) c = '?';
    }
    return result;
}

Task<bool> Session::greet()
{
    const bool is_known = !options_.reads_proxy_header || co_await hear_proxy();
    if (options_.looks_up_names) {
        co_await verify_client_name(facts_, *service_->resolver, log_);
    } else {
        facts_.name_status = facts_.reverse_name_status = check::NameStatus::temporary;
    }
    make_label();
    logs_dialogue_ = options_.logs_dialogue;
    struct {
        const table::MatchList& hosts;
        bool& right;
    } const rights[] = {{options_.debug_peers, logs_dialogue_},
                        {options_.xclient_hosts, may_xclient_},
                        {options_.xforward_hosts, may_xforward_},
                        {options_.verp_clients, may_verp_}};
    for (const auto& [hosts, right] : rights) {
        if (!right && !hosts.is_empty()) right = co_await is_one_of(hosts);
    }
    log_.info("connect from {}", label_);
    if (!is_known) {
        say(421, "4.3.0", options_.hostname + " Server local error");
        co_return false;
    }

    if (bare_newline_ != smtp::BareNewline::normalize && !options_.bare_newline_exclusions.is_empty() &&
        co_await is_one_of(options_.bare_newline_exclusions))
        bare_newline_ = smtp::BareNewline::normalize;
    if (options_.tls.is_wrapped && !co_await wrap()) co_return false;
    if (!co_await admit_to_count()) co_return false;
    if (tls_ && !is_tls_client_welcome()) co_return false;
    // Who talks before the greeting does not listen to answers. (Streams in memory begin full.)
    if (!tls_ && stream_->native_handle() >= 0 && stream_->has_unread_bytes() && co_await reader_.read_chunk() &&
        !reader_.buffered().empty()) {
        facts_.has_pipelined_early = true;
        log_.info("improper command pipelining after CONNECT from {}: {}", label_,
                  smtp::escaped(without_responses(reader_.buffered().substr(0, 100))));
    }
    co_await admit();
    co_return !has_ended_;
}

Task<void> Session::admit()
{
    if (options_.milters && !co_await meet_milters()) co_return;
    check::Verdict verdict;
    if (service_->policy->has_rules_at(check::Stage::connect))
        verdict = co_await service_->policy->evaluate(check::Stage::connect, facts_);
    is_refused_ = verdict.action == check::Verdict::Action::reject;
    if (is_refused_) {
        counters_.refused_clients.fetch_add(1, std::memory_order_relaxed);
        refuse(std::move(verdict));
    } else {
        say(220, "", options_.banner);
    }
}

void Session::make_label()
{
    label_ = facts_.client_label();
}

Task<bool> Session::introduce(smtp::Command command, bool is_extended)
{
    if (command.arguments.empty()) {
        co_return refuse(501, "", is_extended ? "Syntax: EHLO hostname" : "Syntax: HELO hostname");
    }
    // Who is refused has said nothing: what was under way, and the name from before, stay.
    std::string former = std::exchange(facts_.helo_name, neutral_name(command.arguments.substr(0, 255)));
    facts_.command = where_;
    check::Verdict verdict;
    if (service_->policy->has_rules_at(check::Stage::helo))
        verdict = co_await service_->policy->evaluate(check::Stage::helo, facts_);
    facts_.command.clear();
    if (verdict.action == check::Verdict::Action::reject) {
        facts_.helo_name = std::move(former);
        co_return refuse(std::move(verdict));
    }
    if (milters_ && !co_await tell_milters_of_helo(former)) co_return false;
    reset_transaction();
    forwarded_.reset();
    transcript_.forget_beyond(options_.history_limit);
    facts_.protocol = is_extended ? "ESMTP" : "SMTP";
    co_return true;
}

Task<bool> Session::on_helo(smtp::Command command)
{
    if (!co_await introduce(command, false)) co_return false;
    say(250, "", options_.hostname);
    co_return true;
}

Task<bool> Session::on_ehlo(smtp::Command command)
{
    if (!co_await introduce(command, true)) co_return false;
    if (are_milters_closed()) {
        // Nothing is offered to whoever will be refused whatever he says next.
        offer_ = smtp::ext_enhanced_status;
        say_ready(options_.make_ehlo_reply(offer_));
        co_return true;
    }
    const smtp::Extensions rights = (may_xclient_ ? smtp::ext_xclient : 0u) |
                                    (may_xforward_ ? smtp::ext_xforward : 0u) | (may_verp_ ? smtp::ext_xverp : 0u);
    const smtp::Extensions had = tls_ ? smtp::ext_starttls : 0u;
    const auto logins = co_await offer_logins();
    if (!logins) co_return false;
    smtp::Extensions discarded = options_.discarded;
    bool is_silent = options_.discards_silently;
    const auto answer = co_await options_.discard_maps.find(net::format_address(facts_.client_address));
    if (!answer) {
        facts_.helo_name.clear();
        co_return refuse(451, "4.3.0", "Temporary lookup failure");
    }
    if (*answer) {
        // What the table says of this client stands instead of the list that is for all.
        std::vector<std::string> unknown;
        is_silent = false;
        discarded = smtp::parse_extension_list(**answer, unknown, is_silent);
    }
    offer_ = options_.offered(discarded | had);
    const smtp::Extensions wanted = rights | (logins->empty() ? 0u : smtp::ext_auth);
    const smtp::Extensions said = offer_ | (wanted & ~discarded);
    if ((discarded & ~smtp::ext_xverp) != 0 && !is_silent && said != 0)
        log_.info("discarding EHLO keywords: {}", smtp::extension_names(discarded & ~smtp::ext_xverp));
    if (said == options_.offered(options_.discarded) && logins->empty()) say_ready(options_.ehlo_reply);
    else say_ready(options_.make_ehlo_reply(said, *logins));
    co_return true;
}

}  // namespace ekiden::receive
