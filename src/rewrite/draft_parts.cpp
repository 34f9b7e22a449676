// What a Draft makes of its MIME structure: 8-bit content noticed, flaws refused where the administrator is strict, and
// what header and body checks ask for.
#include "rewrite/draft_parts.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "mail/log_address.hpp"

#include <algorithm>

namespace ekiden::rewrite {
namespace {

constexpr std::size_t logged_text = 200;   // characters of a header or body line in a log line
constexpr std::size_t logged_flaw = 100;   // and of one that is no MIME

}  // namespace

void Draft::State::Filter::on_verdict(const ContentRules::Verdict& verdict, std::string_view kind,
                                      std::string_view text)
{
    state_.act(verdict, kind, text);
    if (verdict.action == ContentRules::Action::pass) pass();
    stop_if_over();
}

void Draft::State::Filter::on_trouble(std::string_view kind)
{
    state_.data->log.warning("{}: {}_checks map lookup problem -- message not accepted, try again later",
                             state_.id_text, kind);
    state_.refuse(451, "4.3.0", "Error: queue file write error");
    stop();
}

void Draft::State::Filter::look_at_field(mime::HeaderKind kind, const mime::Field& field)
{
    state_.look_at_field(kind, field);
    stop_if_over();
}

void Draft::State::Filter::look_at_header_end(const mime::Entity& entity)
{
    state_.look_at_header_end(entity);
    stop_if_over();
}

void Draft::State::Filter::look_at_body(const mime::Entity& entity, std::string_view text)
{
    state_.look_at_body(entity, text);
    stop_if_over();
}

void Draft::State::Filter::on_nesting_limit()
{
    state_.look_at_nesting();
    stop_if_over();
}

void Draft::State::Filter::stop_if_over()
{
    if (state_.refusal || state_.is_discarded) stop();
}

void Draft::State::make_parts()
{
    const bool checks = options.checks_content && (is_strict || is_report(options.source));
    const bool checks_body = checks && data->content_rules.has_body_rules();
    const bool checks_parts = checks && data->content_rules.has_part_rules();
    const bool converts = is_strict && data->options.converts_eight_bit;
    if (checks_headers || checks_body || checks_parts || converts) {
        filter_ = std::make_unique<Filter>(*this, ContentFilter::Options{
            .rules = &data->content_rules, .checks_headers = checks_headers || checks_parts, .checks_body = checks_body,
            .converts = converts, .parts = data->options.parts, .log = &data->log});
    } else {
        watch_ = std::make_unique<Watch>(*this, data->options.parts);
    }
}

mime::PartReader& Draft::State::parts() { return filter_ ? filter_->parts() : watch_->parts(); }

void Draft::State::end_noted_header()
{
    look_at_header_end(parts().entity());
    if (filter_) {
        filter_->end_noted_header();
        return;
    }
    watch_->end_noted_header();
    watches_body_ = watch_->parts().has_structure() || (is_strict && data->options.refuses_eight_bit_body);
}

void Draft::State::watch_body(std::string_view content)
{
    if (watches_body_ && !refusal) watch_->feed(content);
}

void Draft::State::look_at_field(mime::HeaderKind, const mime::Field& field)
{
    const auto& o = data->options;
    if (is_strict && field.known == mime::FieldName::content_type)
        last_content_type_ = field.raw.substr(0, std::min(field.raw.size() - 1, logged_flaw));
    if (is_strict && o.refuses_eight_bit_headers && !envelope.is_smtputf8 && !base::is_ascii(field.raw))
        refuse_flaw("improper use of 8-bit data in message header", field.raw.substr(0, field.raw.size() - 1));
    if (o.detects_eight_bit && field.known == mime::FieldName::content_transfer_encoding) {
        const auto encoding = mime::parse_encoding(field.after_colon());
        if (encoding == mime::Encoding::eight_bit || encoding == mime::Encoding::binary)
            envelope.body = mail::BodyType::eight_bit;
    }
}

// RFC 2045 6.4: what is composed of parts must not be encoded as a whole, and RFC 2046 5.2.2 wants some of it in 7 bits.
void Draft::State::look_at_header_end(const mime::Entity& entity)
{
    if (!is_strict || !data->options.refuses_bad_encodings || !entity.is_composite() || entity.encoding_word.empty())
        return;
    const bool is_plain = entity.encoding == mime::Encoding::seven_bit
        || (entity.type != mime::MediaType::other_message
            && (entity.encoding == mime::Encoding::eight_bit || entity.encoding == mime::Encoding::binary));
    if (!is_plain) refuse_flaw("invalid message/* or multipart/* encoding domain", entity.encoding_word);
}

void Draft::State::look_at_body(const mime::Entity& entity, std::string_view text)
{
    if (!is_strict || !data->options.refuses_eight_bit_body || entity.encoding != mime::Encoding::seven_bit ||
        base::is_ascii(text))
        return;
    const auto at = static_cast<std::size_t>(
        std::ranges::find_if(text, [](char c) { return static_cast<unsigned char>(c) > 127; }) - text.begin());
    const std::size_t before = text.rfind('\n', at);
    const std::size_t begin = before == text.npos ? 0 : before + 1;
    refuse_flaw("improper use of 8-bit data in message body",
                text.substr(begin, std::min(text.find('\n', at), text.size()) - begin));
}

// What is nested deeper is not looked into; that is a reason to refuse only where MIME has to be in order.
void Draft::State::look_at_nesting()
{
    const auto& o = data->options;
    if (is_strict &&
        (o.refuses_eight_bit_headers || o.refuses_eight_bit_body || o.refuses_bad_encodings || o.converts_eight_bit))
        refuse_flaw("MIME nesting exceeds safety limit", last_content_type_);
}

void Draft::State::refuse_flaw(std::string_view what, std::string_view where)
{
    if (refusal) return;
    refuse(550, "5.6.0", std::string(what));
    data->log.info("{}: reject: mime-error {}: {} {}", id_text, what, where.substr(0, logged_flaw), whence());
}

bool Draft::State::refuses_characters(std::string_view content)
{
    const std::size_t at = data->options.characters.find_refused(content);
    // The log shows the line, of which an earlier write() may have had the beginning.
    const std::size_t before = content.substr(0, at).rfind('\n');
    const std::size_t begin = before == content.npos ? 0 : before + 1;
    if (at == content.npos) {
        if (before != content.npos) line_start_.clear();
        if (line_start_.size() < logged_text) line_start_ += content.substr(begin, logged_text);
        return false;
    }
    std::string line = before == content.npos ? std::move(line_start_) : std::string();
    line += content.substr(begin, std::min(content.find('\n', at), content.size()) - begin);
    act({ContentRules::Action::reject, "5.7.1 disallowed character"}, "content", line);
    return true;
}

// "from NAME[ADDRESS]; from=<…> to=<…>"
std::string Draft::State::whence() const
{
    const auto& origin = envelope.origin;
    return fmt::format("from {}; from=<{}> to=<{}>",
                       origin.client_address.empty() ? "local"
                                                     : fmt::format("{}[{}]", origin.client_name, origin.client_address),
                       mail::log_address(envelope.sender), mail::log_address(last_recipient_));
}

void Draft::State::act(const ContentRules::Verdict& verdict, std::string_view kind, std::string_view text,
                       std::string_view prefix)
{
    using enum ContentRules::Action;
    std::string shown = verdict.text;
    switch (verdict.action) {
    case reject: {
        const auto code_length = mail::enhanced_code_length(shown);
        const std::string code = code_length > 0 ? shown.substr(0, code_length) : "5.7.1";
        std::string reason =
            code_length > 0 ? std::string(base::trim(std::string_view(shown).substr(code_length))) : shown;
        if (reason.empty()) reason = "message content rejected";
        shown = code + " " + reason;
        refuse(code.starts_with('4') ? 451 : 550, code, std::move(reason));
        if (refusal) refusal->is_by_rule = true;
        break;
    }
    case discard: is_discarded = true; break;
    case hold: envelope.is_held = true; break;
    case filter: envelope.filter = verdict.text; break;
    case redirect: envelope.redirect = mail::unquote_address(verdict.text); break;
    case bcc: more_recipients_.push_back(mail::unquote_address(verdict.text)); break;
    default: break;
    }
    const auto word = log_word(verdict.action);
    if (word.empty()) return;
    const auto& origin = envelope.origin;
    std::string line = fmt::format("{}: {}{}: {} {} {}", id_text, prefix, word, kind, text.substr(0, logged_text), whence());
    if (!origin.protocol.empty()) line += fmt::format(" proto={}", origin.protocol);
    if (!origin.helo_name.empty()) line += fmt::format(" helo=<{}>", origin.helo_name);
    if (!shown.empty()) line += ": " + shown;
    data->log.info("{}", line);
}

}  // namespace ekiden::rewrite
