#include "rewrite/edits.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "smtp/paths.hpp"

#include <algorithm>

namespace ekiden::rewrite {
namespace {

constexpr std::size_t largest_body = std::size_t{1} << 30; // where no limit is set
constexpr std::size_t pieces_at_a_time = 4;                // of a header; and
constexpr std::size_t edits_at_a_time = 16;                // then others have their turn: each may look at every field

// A field out of what a milter says. Line ends become those of folded lines, whatever stands behind them, so that no
// value makes a field of its own.
std::string make_field_text(std::string_view name, std::string_view value, bool keeps_blanks)
{
    std::string text(name);
    text += keeps_blanks ? ":" : ": ";
    value = value.substr(0, value.find_last_not_of("\r\n") + 1);
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (value[i] == '\r') {
            if (i + 1 == value.size() || value[i + 1] != '\n') text += ' ';
            continue;
        }
        text += value[i];
        if (value[i] == '\n' && value[i + 1] != ' ' && value[i + 1] != '\t') text += '\t';
    }
    return text += '\n';
}

// Names with blanks or colons in them would end the header for those who read it behind us.
bool is_field_name(std::string_view name)
{
    return !name.empty() && std::ranges::all_of(name, [](char c) { return c > 32 && c < 127 && c != ':'; });
}

// Is it a field of that name, which has no blanks or colons? Cheaper than make_field() of each.
bool has_name(std::string_view field, std::string_view name)
{
    if (!base::equal_ignoring_case(field.substr(0, name.size()), name)) return false;
    const std::size_t behind = field.find_first_not_of(" \t", name.size());
    return behind != field.npos && field[behind] == ':';
}

std::string without_carriage_returns(std::string_view wire)
{
    std::string text;
    text.reserve(wire.size() + 1);
    for (std::size_t at = 0; at < wire.size();) {
        const std::size_t end = wire.find("\r\n", at);
        text += wire.substr(at, end == wire.npos ? end : end - at);
        if (end == wire.npos) break;
        text += '\n';
        at = end + 2;
    }
    if (!text.empty() && text.back() != '\n') text += '\n';
    return text;
}

// "<user@domain>", "user@domain", or as in a header line.
std::string parse_envelope_address(std::string_view text)
{
    std::string address;
    if (!smtp::parse_address(text, address)) address = mail::unquote_address(base::trim(text));
    std::ranges::replace_if(address, [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
    return address;
}

smtp::Path path_with(std::string_view parameter)
{
    smtp::Path path;
    path.parameter_store[0] = parameter;
    path.parameter_count = 1;
    return path;
}

} // namespace

std::size_t StoredMessage::body_limit() const
{
    return state_.options.size_limit > 0 ? static_cast<std::size_t>(state_.options.size_limit) : largest_body;
}

Task<Result<void>> StoredMessage::load()
{
    mime::HeaderBlock header(SIZE_MAX, false);
    const auto reader = content_.reader();
    std::uint64_t used = 0;
    std::size_t pieces = 0;
    while (!header.is_complete()) {
        EKIDEN_CO_TRY_VALUE(piece, co_await reader->next());
        if (piece.empty())
            header.finish();
        else
            used += header.feed(piece);
        for (const mime::Field& field : header.fields()) fields_.emplace_back(field.raw);
        if (++pieces % pieces_at_a_time == 0) co_await asio::post(co_await net::this_executor(), use_task);
        header.clear_fields();
    }
    body_at_ = used - header.leftover().size();
    has_blank_line_ = header.has_blank_line();
    for (std::size_t i = 0; i < fields_.size() && !own_; ++i) {
        if (mime::make_field(fields_[i]).known == mime::FieldName::received) own_ = i;
    }
    co_return Result<void>{};
}

milter::Message::Field StoredMessage::field(std::size_t index) const
{
    if (own_ && index >= *own_) ++index;
    const mime::Field field = mime::make_field(fields_[index]);
    return {field.name(), field.after_colon()};
}

// ---- body

Task<Result<void>> StoredMessage::open_body()
{
    is_at_end_ = false;
    to_skip_ = body_at_;
    if (!new_body_) reader_ = content_.reader();
    co_return Result<void>{};
}

Task<Result<std::string_view>> StoredMessage::next_body()
{
    if (new_body_) {
        if (std::exchange(is_at_end_, true)) co_return std::string_view();
        co_return std::string_view(*new_body_);
    }
    for (;;) {
        EKIDEN_CO_TRY_VALUE(piece, co_await reader_->next());
        if (piece.empty()) co_return piece;
        const std::size_t skipped = static_cast<std::size_t>(std::min<std::uint64_t>(to_skip_, piece.size()));
        to_skip_ -= skipped;
        if (skipped < piece.size()) co_return piece.substr(skipped);
    }
}

Task<Result<void>> StoredMessage::store(queue::ContentWriter& out)
{
    for (const std::string& field : fields_) {
        out.append(field);
        if (out.needs_flush()) EKIDEN_CO_TRY(co_await out.flush());
    }
    if (has_blank_line_ || new_body_) out.append("\n");
    EKIDEN_CO_TRY(co_await open_body());
    for (;;) {
        EKIDEN_CO_TRY_VALUE(piece, co_await next_body());
        if (piece.empty()) break;
        out.append(piece);
        if (out.needs_flush()) EKIDEN_CO_TRY(co_await out.flush());
    }
    co_return Result<void>{};
}

// ---- changes

Task<milter::Answer> StoredMessage::apply(milter::Edits edits)
{
    std::size_t done = 0;
    for (const milter::Edit& edit : edits.list) {
        if (++done % edits_at_a_time == 0) co_await asio::post(co_await net::this_executor(), use_task);
        switch (edit.kind) {
        case milter::Edit::Kind::add_header:
        case milter::Edit::Kind::insert_header:
        case milter::Edit::Kind::change_header:
            // The refusal, or that the message is thrown away, stands in the Draft; nobody else needs to be asked.
            if (!co_await apply_header(edit, edits.keeps_blanks))
                co_return milter::Answer(milter::Answer::Kind::discard, {});
            break;
        case milter::Edit::Kind::replace_body:
            new_body_ = without_carriage_returns(edits.body);
            edits.body = {};
            has_changed_ = true;
            break;
        case milter::Edit::Kind::change_from: apply_sender(edit); break;
        case milter::Edit::Kind::add_recipient:
        case milter::Edit::Kind::remove_recipient: apply_recipient(edit); break;
        }
    }
    co_return milter::Answer();
}

// Where a changed field is: the index-th of its name, ours not counted. Behind the last one: there is none.
std::size_t StoredMessage::place_of(const milter::Edit& edit) const
{
    if (edit.name.empty() || edit.name.find_first_of(" \t:") != edit.name.npos) return fields_.size();
    std::uint32_t wanted = std::max<std::uint32_t>(edit.index, 1);
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        if (own_ == i || !has_name(fields_[i], edit.name)) continue;
        if (--wanted == 0) return i;
    }
    return fields_.size();
}

// False: a check of the field has decided about the message.
Task<bool> StoredMessage::apply_header(const milter::Edit& edit, bool keeps_blanks)
{
    using Kind = milter::Edit::Kind;
    const bool is_change = edit.kind == Kind::change_header;
    std::size_t at = fields_.size();
    if (is_change)
        at = place_of(edit);
    else if (edit.kind == Kind::insert_header)
        at = std::min<std::size_t>(edit.index, fields_.size());
    if (is_change && edit.value.empty()) {
        if (at == fields_.size()) co_return true;
        fields_.erase(fields_.begin() + static_cast<std::ptrdiff_t>(at));
        if (own_ && at < *own_) --*own_;
        has_changed_ = true;
        co_return true;
    }
    if (!is_field_name(edit.name)) {
        state_.data->log.warning("{}: ignoring header field with a bad name from Milter: \"{}\"", state_.id_text,
                                 base::printable(std::string_view(edit.name).substr(0, 100)));
        co_return true;
    }
    std::string text = make_field_text(edit.name, edit.value, keeps_blanks);
    const bool stays = co_await state_.check_milter_field(text);
    if (state_.refusal || state_.is_discarded) co_return false;
    if (!stays) co_return true;
    has_changed_ = true;
    if (is_change && at < fields_.size()) {
        fields_[at] = std::move(text);
        co_return true;
    }
    fields_.insert(fields_.begin() + static_cast<std::ptrdiff_t>(at), std::move(text));
    if (own_ && at <= *own_) ++*own_;
    co_return true;
}

void StoredMessage::apply_sender(const milter::Edit& edit)
{
    auto& envelope = state_.envelope;
    state_.change_sender(parse_envelope_address(edit.value));
    for (const std::string_view word : base::split_any(edit.arguments, " \t\r\n")) {
        const auto parameters = smtp::parse_mail_parameters(path_with(word), {});
        if (!parameters) {
            state_.data->log.warning("Ignoring bad ESMTP parameter \"{}\" in SMFI_CHGFROM request",
                                     base::printable(word.substr(0, 100)));
            continue;
        }
        if (parameters->dsn_return != mail::DsnReturn::unspecified) envelope.dsn_return = parameters->dsn_return;
        if (!parameters->envid.empty()) envelope.dsn_envid = parameters->envid;
        if (parameters->body != mail::BodyType::unspecified) envelope.body = parameters->body;
        envelope.is_smtputf8 = envelope.is_smtputf8 || parameters->is_smtputf8;
    }
}

void StoredMessage::apply_recipient(const milter::Edit& edit)
{
    auto& recipients = state_.envelope.recipients;
    std::string address = parse_envelope_address(edit.value);
    if (edit.kind == milter::Edit::Kind::remove_recipient) {
        const std::string complete = state_.data->resolver->complete(address, "local");
        std::erase_if(recipients, [&](const mail::Recipient& one) {
            return one.address == address || state_.data->resolver->complete(one.address, "local") == complete;
        });
        return;
    }
    if (address.empty()) {
        state_.data->log.warning("{}: ignoring attempt from Milter to add null recipient", state_.id_text);
        return;
    }
    mail::Recipient recipient;
    recipient.address = std::move(address);
    for (const std::string_view word : base::split_any(edit.arguments, " \t\r\n")) {
        std::string_view unknown;
        const auto parameters = smtp::parse_recipient_parameters(path_with(word), {}, unknown);
        if (!parameters) {
            state_.data->log.warning("{}: ignoring ESMTP argument from Milter or header/body_checks: \"{}\"",
                                     state_.id_text, base::printable(word.substr(0, 100)));
            continue;
        }
        if (parameters->notify != mail::notify_default) recipient.notify = parameters->notify;
        if (!parameters->original.empty()) recipient.dsn_original = parameters->original;
    }
    recipients.push_back(std::move(recipient));
}

} // namespace ekiden::rewrite
