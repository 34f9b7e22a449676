// Header and body of a Draft as they stream by. Without tables to ask, everything happens at once in write(); with them,
// content is held back, bounded, until flush() or submit() may wait.
#include "rewrite/draft_parts.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "mail/queue_id.hpp"
#include "mime/addresses.hpp"
#include "mime/date.hpp"
#include "mime/encoded_word.hpp"
#include "rewrite/fields.hpp"

#include <algorithm>
#include <cstring>

namespace ekiden::rewrite {
namespace {

// What may wait for flush(): enough for any reasonable header, little enough for ten thousand sessions.
constexpr std::size_t held_limit = 64 << 10;
// Of fields that are told one by one, so many.
constexpr unsigned most_told = 20;

bool detects_utf8_of(const IntakeOptions& options, Source source)
{
    switch (source) {
    case Source::smtpd: return options.detects_utf8_of_smtpd;
    case Source::pickup: return options.detects_utf8_of_sendmail;
    case Source::bounce: return options.detects_utf8_of_bounce;
    case Source::forward: return options.detects_utf8_of_forward;
    case Source::notify: return options.detects_utf8_of_notify;
    case Source::probe: return options.detects_utf8_of_probe;
    }
    return false;
}

Place place_of(mime::AddressRole role)
{
    return role == mime::AddressRole::sender ? Place::header_sender : Place::header_recipient;
}

}  // namespace

void Draft::State::write(std::string_view content)
{
    if (refusal || content.empty()) return;
    if (!has_started_) start();
    count(content);
    if (refusal) return;
    if (!looks_at_characters) {
        take(content);
        return;
    }
    const auto& characters = data->options.characters;
    if (characters.has_refused() && refuses_characters(content)) return;
    if (characters.has_stripped()) take(characters.strip(content));
    else take(content);
}

void Draft::State::take(std::string_view content)
{
    if (!header_.is_complete()) {
        content.remove_prefix(header_.feed(content));
        if (!waits_for_tables) {
            if (header_.is_complete() || header_.size() > held_limit) emit_fields_now();
            if (header_.is_complete()) end_header();
        }
        if (!header_.is_complete()) return;
    }
    if (waits_for_tables && (!header_done_ || filter_)) {
        held_body_ += content;
        return;
    }
    watch_body(content);
    append_body(content);
}

bool Draft::State::needs_flush() const
{
    if (refusal) return false;
    return writer_.needs_flush() ||
           (waits_for_tables && (header_.size() > held_limit || held_body_.size() > held_limit));
}

Task<Result<void>> Draft::State::flush()
{
    if (waits_for_tables) co_await work_off();
    if (!refusal && writer_.needs_flush()) {
        if (Result<void> written = co_await writer_.flush(); !written) {
            data->log.warning("{}: queue file write error: {}", id_text, written.error().text());
            if (written.error().is(ErrorCode::no_space)) refuse(452, "4.3.1", "Insufficient system storage");
            else refuse(451, "4.3.0", "Error: queue file write error");
        }
    }
    co_return Result<void>{};   // submit() tells the sender
}

// Called once, with nothing more to come: closes the header, does what was held back, ends the last line.
Task<void> Draft::State::finish_content()
{
    if (refusal) co_return;
    if (!has_started_) start();
    const bool was_complete = header_.is_complete();
    header_.finish();
    if (waits_for_tables) {
        co_await work_off();
    } else if (!was_complete) {
        emit_fields_now();
        end_header();
    }
    if (!refusal && !is_discarded && filter_) {
        std::string out;
        const bool goes_on = co_await filter_->finish(out);
        if (goes_on) append_body(out);
    } else if (!refusal && watch_) {
        watch_->finish();
    }
    if (!refusal && last_ != '\n') append_body("\n");
}

// ---- header

void Draft::State::start()
{
    has_started_ = true;
    rewrites_headers = envelope.origin.rewrite_context == "local" || data->options.has_remote_domain;
    const bool maps_headers = options.expands_aliases && rewrites_headers
        && (data->rules.has_maps_for(Place::header_sender) || data->rules.has_maps_for(Place::header_recipient));
    const bool is_from_outside = options.source == Source::smtpd || options.source == Source::pickup;
    // Reports of ours where internal_mail_filter_classes says so.
    const bool is_checked = options.checks_content && (is_from_outside || is_report(options.source));
    checks_headers = is_checked && data->content_rules.has_header_rules();
    is_strict = is_from_outside;
    const auto& characters = data->options.characters;
    looks_at_characters =
        is_checked && (characters.has_stripped() || characters.has_refused());
    make_parts();
    waits_for_tables = maps_headers || checks_headers || filter_
        || (options.expands_aliases && data->rules.has_maps_for(Place::envelope_sender));
    detects_utf8 = detects_utf8_of(data->options, options.source);
    last_recipient_ = envelope.recipients.empty() ? std::string() : envelope.recipients.back().address;
    last_recipient_ = data->resolver->complete(last_recipient_, "local");
    prepended_ += own_fields();
}

std::string Draft::State::own_fields()
{
    const auto& o = data->options;
    // Who received it is the server that speaks to the client, and it may have a name of its own.
    ReceivedFacts facts{.myhostname = options.hostname.empty() ? o.myhostname : options.hostname,
                        .mail_name = o.mail_name,
                        .id = id_text};
    if (envelope.recipients.size() == 1) facts.only_recipient = envelope.recipients.front().address;
    facts.tls_comment = options.tls_comment;
    facts.protocol_suffix = options.protocol_suffix;
    facts.shows_login = options.shows_login;
    facts.is_smtputf8 = envelope.is_smtputf8;
    facts.at = opened_at;
    switch (options.source) {
    case Source::smtpd:
        // What the protocol was belongs to the session, too.
        if (!options.hides_client) return received_from_client(envelope.origin, facts);
        facts.is_smtputf8 = false;
        break;
    case Source::pickup: return received_from_user(options.submitter_uid, facts);
    case Source::bounce:
    case Source::forward:
    case Source::notify:
    case Source::probe: break;
    }
    // A report of ours comes from nowhere, by no protocol.
    facts.is_smtputf8 = facts.is_smtputf8 && options.source == Source::forward;
    return received_from_self(facts);
}

void Draft::State::count(std::string_view content)
{
    if (options.size_limit == 0) return;
    counted_ += content.size() + static_cast<std::uint64_t>(std::count(content.begin(), content.end(), '\n'));
    if (counted_ > options.size_limit) refuse(552, "5.3.4", "Error: message file too big");
}

// Takes note of a field; false when it is one of those that nobody downstream shall see.
bool Draft::State::admit(const mime::Field& field)
{
    using enum mime::FieldName;
    if (detects_utf8 && !envelope.is_smtputf8 && !base::is_ascii(field.raw))
        envelope.is_smtputf8 = base::is_valid_utf8(field.raw);
    parts().note_field(field);
    look_at_field(mime::HeaderKind::primary, field);
    facts_.has_resent = facts_.has_resent || mime::is_resent(field.known);
    switch (field.known) {
    case received:
        // A message that has been through so many systems goes in circles.
        if (++facts_.hops < data->options.hopcount_limit) break;
        // Each such field is told, as Postfix does, but nobody may fill the log with them.
        if (refusal && (options.source != Source::pickup || facts_.hops >= data->options.hopcount_limit + most_told))
            break;
        data->log.warning("{}: message rejected: hopcount exceeded", id_text);
        refuse(554, "5.4.0", "Error: too many hops");
        break;
    case message_id:
        if (!facts_.has_message_id) facts_.message_id = mime::unfold(field.body());
        else if (facts_.further_message_ids.size() < most_told)
            facts_.further_message_ids.push_back(mime::unfold(field.body()));
        facts_.has_message_id = true;
        break;
    case resent_message_id:
        if (!facts_.has_resent_message_id) facts_.resent_message_id = mime::unfold(field.body());
        facts_.has_resent_message_id = true;
        break;
    case date: facts_.has_date = true; break;
    case resent_date: facts_.has_resent_date = true; break;
    case from: facts_.has_from = true; break;
    case resent_from: facts_.has_resent_from = true; break;
    case to:
    case cc:
    case resent_to:
    case resent_cc: facts_.has_recipient = true; break;
    default: break;
    }
    return !data->options.dropped_fields.contains(field.name());
}

void Draft::State::emit_fields_now()
{
    if (!has_rewritten_sender_) {
        has_rewritten_sender_ = true;
        envelope.sender = data->resolver->complete(envelope.sender, "local");
        if (options.expands_aliases)
            envelope.sender = data->rules.rewrite_now(std::move(envelope.sender), Place::envelope_sender);
    }
    std::string out;
    out.reserve(prepended_.size() + header_.size() + 512);
    if (!prepended_.empty()) {
        out = std::move(prepended_);
        prepended_.clear();
        ++facts_.hops;
    }
    for (const auto& field : header_.fields()) {
        if (!admit(field)) continue;
        if (rewrites_headers && mime::address_role(field.known) != mime::AddressRole::none)
            rewrite_field_now(field, out);
        else out += field.raw;
    }
    if (header_.is_complete() && !refusal) append_missing(out);
    header_.clear_fields();
    if (!refusal) append_header(std::move(out));
}

// As in the body, a carriage return ends no line.
void Draft::State::append_header(std::string fields)
{
    if (data->options.replaces_stray_cr && std::memchr(fields.data(), '\r', fields.size()) != nullptr)
        std::ranges::replace(fields, '\r', ' ');
    writer_.append(fields);
}

void Draft::State::rewrite_field_now(const mime::Field& field, std::string& out) const
{
    const auto place = place_of(mime::address_role(field.known));
    const auto list = mime::find_addresses(field.after_colon(), data->options.header_token_limit);
    const auto& context = envelope.origin.rewrite_context;
    const bool masquerades = options.expands_aliases && data->rules.has_masquerading_for(place);
    const bool is_unchanged = !masquerades && list.parsed == field.after_colon().size() &&
                              std::all_of(list.addresses.begin(), list.addresses.end(), [&](const auto& span) {
                                  return data->resolver->completion().is_complete(span.address, context);
                              });
    if (is_unchanged) {
        out += field.raw;
        return;
    }
    std::vector<std::string> replacements;
    replacements.reserve(list.addresses.size());
    bool has_changed = list.parsed != field.after_colon().size();
    for (const auto& span : list.addresses) {
        std::string address = data->resolver->complete(span.address, context);
        if (masquerades) address = data->rules.rewrite_now(std::move(address), place);
        has_changed = has_changed || address != span.address;
        replacements.push_back(std::move(address));
    }
    if (!has_changed) {
        out += field.raw;
        return;
    }
    out += field.raw.substr(0, field.body_at);
    (out += mime::replace_addresses(field.after_colon(), list, replacements, field.body_at)) += '\n';
}

// The same with tables: each field is checked, then rewritten.
Task<void> Draft::State::emit_fields()
{
    co_await rewrite_sender();
    std::string out;
    const auto emit = [](std::vector<std::string>& to, const mime::HeaderBlock& block) {
        for (const auto& field : block.fields()) to.emplace_back(field.raw);
    };
    std::vector<std::string> fields;
    if (!prepended_.empty()) {   // ours are checked as well: many sites hide inner addresses so
        mime::HeaderBlock own(data->options.header_size_limit);
        own.feed(prepended_);
        own.finish();
        prepended_.clear();
        emit(fields, own);
    }
    emit(fields, header_);
    header_.clear_fields();

    for (std::string& text : fields) {
        if (refusal || is_discarded) co_return;
        if (checks_headers) {
            const bool stays = co_await filter_->check_field(mime::HeaderKind::primary, text, out);
            if (!stays) continue;
        }
        const mime::Field field = mime::make_field(text);
        if (!admit(field) || (filter_ && filter_->is_superseded(field))) continue;
        if (rewrites_headers && mime::address_role(field.known) != mime::AddressRole::none)
            co_await rewrite_field(std::move(text), out);
        else out += text;
    }
    if (refusal) co_return;
    if (header_.is_complete()) {
        append_missing(out);
        if (filter_) out += filter_->new_encoding_field(parts().entity());
    }
    append_header(std::move(out));
}

Task<void> Draft::State::rewrite_field(std::string text, std::string& out)
{
    const mime::Field field = mime::make_field(text);
    const auto place = place_of(mime::address_role(field.known));
    const auto list = mime::find_addresses(field.after_colon(), data->options.header_token_limit);
    std::vector<std::string> replacements;
    bool has_changed = list.parsed != field.after_colon().size();
    for (const auto& span : list.addresses) {
        std::string address = data->resolver->complete(span.address, envelope.origin.rewrite_context);
        if (options.expands_aliases) {
            AddressRules::Outcome<std::string> mapped =
                co_await data->rules.rewrite(std::move(address), place, id_text);
            if (!mapped) {
                refuse(mapped.error());
                co_return;
            }
            address = std::move(*mapped);
        }
        has_changed = has_changed || address != span.address;
        replacements.push_back(std::move(address));
    }
    if (!has_changed) {
        out += text;
        co_return;
    }
    out += field.raw.substr(0, field.body_at);
    (out += mime::replace_addresses(field.after_colon(), list, replacements, field.body_at)) += '\n';
}

// What RFC 5322 requires and a local submitter left out, behind the last field. Strangers' mail is not touched.
void Draft::State::append_missing(std::string& out)
{
    const auto& o = data->options;
    if (!rewrites_headers && !o.adds_missing_always) return;
    const std::string_view prefix = facts_.has_resent ? "Resent-" : "";
    const bool has_id = facts_.has_resent ? facts_.has_resent_message_id : facts_.has_message_id;
    const bool has_date = facts_.has_resent ? facts_.has_resent_date : facts_.has_date;
    const bool has_from = facts_.has_resent ? facts_.has_resent_from : facts_.has_from;
    if (!has_id) {
        std::string& value = facts_.has_resent ? facts_.resent_message_id : facts_.message_id;
        value = "<" + make_message_id(opened_at, id_text, o.myhostname) + ">";
        (facts_.has_resent ? facts_.has_resent_message_id : facts_.has_message_id) = true;
        out.append(prefix).append("Message-Id: ").append(value) += '\n';
    }
    if (!has_date) out.append(prefix).append("Date: ").append(mime::format_date(opened_at)) += '\n';
    if (!has_from)
        out.append(prefix).append("From: ").append(
            from_body(envelope.sender,
                      o.full_name_charset.empty() ? envelope.full_name
                                                  : mime::encode_words(envelope.full_name, o.full_name_charset),
                      o.has_obsolete_from)) += '\n';
    if (!facts_.has_recipient && !o.undisclosed_recipients.empty()) out.append(o.undisclosed_recipients) += '\n';
}

// The header is written; what follows is body.
void Draft::State::end_header()
{
    if (header_done_ || refusal) return;
    header_done_ = true;
    if (is_discarded) return;
    log_message_ids();
    const auto leftover = header_.leftover();
    if (header_.has_blank_line() || !leftover.empty()) append_body("\n");
    end_noted_header();
    if (leftover.empty() || refusal) return;
    if (filter_) {
        held_body_.insert(0, leftover);
        return;
    }
    watch_body(leftover);
    append_body(leftover);
}

void Draft::State::log_message_ids()
{
    if (facts_.has_resent_message_id) data->log.info("{}: resent-message-id={}", id_text, facts_.resent_message_id);
    data->log.info("{}: message-id={}", id_text,
                   facts_.has_message_id ? std::string_view(facts_.message_id) : std::string_view("<>"));
    for (const std::string& further : facts_.further_message_ids)
        data->log.info("{}: message-id={}", id_text, further);
}

// ---- body

void Draft::State::append_body(std::string_view content)
{
    if (content.empty()) return;
    last_ = content.back();
    // A carriage return that is not part of a line end lets two systems see two different messages (smuggling).
    if (data->options.replaces_stray_cr && std::memchr(content.data(), '\r', content.size()) != nullptr) {
        std::string clean(content);
        std::replace(clean.begin(), clean.end(), '\r', ' ');
        if (last_ == '\r') last_ = ' ';
        writer_.append(clean);
        return;
    }
    writer_.append(content);
}

Task<void> Draft::State::work_off()
{
    if (refusal) co_return;
    if (!header_done_ && (header_.is_complete() || header_.size() > held_limit)) {
        co_await emit_fields();
        if (header_.is_complete()) end_header();
    }
    if (!header_done_ || refusal) co_return;
    const std::string held = std::exchange(held_body_, {});
    if (!filter_) {
        watch_body(held);
        append_body(held);
        co_return;
    }
    std::string out;
    const bool goes_on = co_await filter_->feed(held, out);
    if (goes_on) append_body(out);
}

}  // namespace ekiden::rewrite
