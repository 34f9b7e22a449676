// What milters say about a Draft's content, before it is committed; and, for mail that came without SMTP, the session
// that they are told of instead.
#include "rewrite/edits.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "mail/log_address.hpp"

namespace ekiden::rewrite {
namespace {

using Kind = milter::Answer::Kind;

// Mail of a local user, or of our own: it is as if it came from this host.
constexpr std::string_view local_name = "localhost", local_address = "127.0.0.1";

class LocalValues final : public milter::MacroValues {
public:
    LocalValues(const milter::Setup& setup, std::string_view id) : setup_(setup), id_(id) {}
    std::optional<std::string> sender, recipient;
    bool is_content = false;

    std::optional<std::string> value(std::string_view name) const override
    {
        if (auto common = milter::common_value(setup_, name)) return common;
        if (name == "i") return is_named ? std::optional(std::string(id_)) : std::nullopt;
        if (name == "_") return fmt::format("{} [{}]", local_name, local_address);
        if (name == "client_name" || name == "client_ptr") return std::string(local_name);
        if (name == "client_addr" || name == "daemon_addr") return std::string(local_address);
        if (name == "client_port" || name == "daemon_port") return "0";
        if (name == "mail_addr" && !is_content) return sender;
        if (name == "rcpt_addr" && !is_content) return recipient;
        return std::nullopt;
    }
    bool is_named = false; // the queue id is said from MAIL on

private:
    const milter::Setup& setup_;
    std::string_view id_;
};

} // namespace

void Draft::State::change_sender(std::string address)
{
    envelope.sender = std::move(address);
    has_rewritten_sender_ = false;
}

// milter_header_checks. False: the field is left out.
Task<bool> Draft::State::check_milter_field(std::string& text)
{
    const ContentRules& rules = data->milter_rules;
    if (!rules.has_header_rules()) co_return true;
    const mime::Field field = mime::make_field(text);
    const std::string line = text.substr(0, text.size() - 1);
    const auto verdict =
        co_await rules.check_header(mime::HeaderKind::primary, field.known, field.name(), line, &data->log);
    if (!verdict) {
        data->log.warning("{}: milter_header_checks map lookup problem -- message not accepted, try again later",
                          id_text);
        refuse(451, "4.3.0", "Error: queue file write error");
        co_return false;
    }
    using enum ContentRules::Action;
    act(*verdict, "header", line, "milter-header-");
    switch (verdict->action) {
    case ignore:
    case strip: co_return false;
    case replace: text = verdict->text + '\n'; break;
    // Postfix's words; it does not do it either.
    case prepend: data->log.warning("the milter_header/body_checks prepend action is not implemented"); break;
    default: break;
    }
    co_return true;
}

void Draft::State::log_milter(std::string_view action, std::string_view text)
{
    const auto& origin = envelope.origin;
    const bool is_local = origin.client_address.empty();
    std::string line =
        fmt::format("{}: milter-{}: END-OF-MESSAGE from {}[{}]: {}; from=<{}> to=<{}>", id_text, action,
                    is_local ? local_name : origin.client_name, is_local ? local_address : origin.client_address,
                    base::printable(text.substr(0, milter::longest_logged_reply)), mail::log_address(envelope.sender),
                    mail::log_address(last_recipient_));
    if (!origin.protocol.empty()) line += fmt::format(" proto={}", origin.protocol);
    if (!origin.helo_name.empty()) line += fmt::format(" helo=<{}>", origin.helo_name);
    data->log.info("{}", line);
}

// Carries out what was answered about the message as a whole.
void Draft::State::obey_milters(const milter::Answer& answer)
{
    switch (answer.kind) {
    case Kind::proceed: return;
    case Kind::discard:
        if (refusal || is_discarded) return; // a check of what they added has decided, and told
        log_milter("discard", "milter triggers DISCARD action");
        is_discarded = true;
        return;
    case Kind::hold:
        // Once: a milter that has failed goes on saying so.
        if (!envelope.is_held) log_milter("hold", "milter triggers HOLD action");
        envelope.is_held = true;
        return;
    case Kind::refuse: break;
    }
    // "550 5.7.1 Command rejected": whoever has no reply to give is told code and text.
    std::string_view text = std::string_view(answer.text).substr(std::min<std::size_t>(4, answer.text.size()));
    log_milter("reject", text);
    const int code = base::parse_number<int>(std::string_view(answer.text).substr(0, 3)).value_or(451);
    text = text.substr(0, text.find('\r'));
    const std::size_t length = mail::enhanced_code_length(text);
    std::string enhanced = length > 0 ? std::string(text.substr(0, length)) : code >= 500 ? "5.7.1" : "4.7.1";
    refuse(code, std::move(enhanced), std::string(base::trim(text.substr(length))));
    if (!refusal) return;
    refusal->is_by_rule = true;
    refusal->wire = answer.text;
}

Task<void> Draft::State::ask_milters()
{
    StoredMessage message(*this, writer_);
    milter::Answer answer;
    const auto loaded = co_await message.load();
    if (loaded) answer = co_await milters_->inspect(message, *milter_values_, data->log);
    Result<void> stored = loaded;
    obey_milters(answer);
    if (!refusal && !is_discarded && stored && message.has_changed()) {
        queue::ContentWriter changed = data->store.write_content();
        stored = co_await message.store(changed);
        if (stored) writer_ = std::move(changed);
    }
    if (!stored && !refusal) {
        data->log.warning("{}: queue file write error: {}", id_text, stored.error().text());
        if (stored.error().is(ErrorCode::no_space))
            refuse(452, "4.3.1", "Insufficient system storage");
        else
            refuse(451, "4.3.0", "Error: queue file write error");
    }
    if (!refusal && !is_discarded && envelope.recipients.empty()) {
        log_milter("discard", "milter removes all recipients");
        is_discarded = true;
    }
}

bool Draft::State::has_local_milters() const
{
    const bool is_asked =
        options.source == Source::pickup ? options.asks_milters : is_report(options.source) && options.checks_content;
    return is_asked && data->local_milters && data->dns;
}

// non_smtpd_milters: connection, greeting and envelope are played to them first.
Task<void> Draft::State::ask_local_milters()
{
    milter::Chain chain(data->local_milters, data->milter_setup, *data->dns, data->log);
    LocalValues values(*data->milter_setup, id_text);
    milter::Client client{std::string(local_name), '4', 0, std::string(local_address)};
    milter::Answer answer = co_await chain.connect(std::move(client), values);
    if (answer.proceeds()) answer = co_await chain.helo(std::string(local_name), values);
    values.is_named = true;
    values.sender = mail::quote_address(envelope.sender);
    if (answer.proceeds()) answer = co_await chain.mail(*values.sender, {}, values);
    for (std::size_t i = 0; answer.proceeds() && i < envelope.recipients.size(); ++i) {
        values.recipient = mail::quote_address(data->resolver->complete(envelope.recipients[i].address, "local"));
        answer = co_await chain.rcpt(*values.recipient, {}, values, false);
        if (answer.kind != Kind::refuse) continue;
        // There is nobody who could be told that one of several recipients is refused.
        data->log.warning("{}: milter configuration error: can't reject recipient in non-smtpd(8) submission", id_text);
        data->log.warning("{}: deferring delivery of this message", id_text);
        answer = milter::Answer(Kind::refuse, "451 4.3.5 Server configuration error");
    }
    if (answer.proceeds()) answer = co_await chain.data(values);
    values.is_content = true;
    if (answer.kind == Kind::proceed || answer.kind == Kind::hold) {
        obey_milters(answer);
        milters_ = &chain;
        milter_values_ = &values;
        co_await ask_milters();
        milters_ = nullptr;
        milter_values_ = nullptr;
    } else {
        obey_milters(answer);
    }
    co_await chain.quit();
}

} // namespace ekiden::rewrite
