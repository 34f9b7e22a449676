#include "rewrite/content_filter.hpp"

#include <algorithm>
#include <utility>

namespace ekiden::rewrite {

namespace {

using Action = ContentRules::Action;

// A line without end is looked at in pieces rather than gathered for ever.
constexpr std::size_t longest_line = 64 << 10;

bool is_eight_bit(mime::Encoding encoding)
{
    return encoding == mime::Encoding::eight_bit || encoding == mime::Encoding::binary;
}

}  // namespace

Task<bool> ContentFilter::feed(std::string_view content, std::string& out)
{
    if (is_stopped_) co_return false;
    parts_.feed(content, *this);
    co_return co_await work_off(out);
}

Task<bool> ContentFilter::finish(std::string& out)
{
    if (is_stopped_) co_return false;
    parts_.finish(*this);
    const bool goes_on = co_await work_off(out);
    if (!goes_on) co_return false;
    if (!line_.empty()) co_await take_line(line_entity_, false, out);
    encoder_.finish(out);
    co_return !is_stopped_;
}

// ---- what the reader of parts says, put down for later: a table may have to be awaited

void ContentFilter::on_field(mime::HeaderKind kind, std::string_view raw)
{
    events_.push_back({Event::Kind::field, kind, {}, std::string(raw)});
}

void ContentFilter::on_header_end(mime::HeaderKind kind, const mime::Entity& entity, std::string_view blank)
{
    events_.push_back({Event::Kind::header_end, kind, entity, std::string(blank)});
}

void ContentFilter::on_body(const mime::Entity& entity, std::string_view text, bool is_boundary)
{
    events_.push_back({is_boundary ? Event::Kind::boundary : Event::Kind::body, {}, entity, std::string(text)});
}

Task<bool> ContentFilter::work_off(std::string& out)
{
    while (!events_.empty() && !is_stopped_) {
        Event event = std::move(events_.front());
        events_.pop_front();
        switch (event.kind) {
        case Event::Kind::field: co_await take_field(std::move(event), out); break;
        case Event::Kind::header_end:
            look_at_header_end(event.entity);
            out += new_encoding_field(event.entity);
            out += event.text;
            body_checked_ = 0;
            break;
        case Event::Kind::body: co_await take_body(event.entity, event.text, false, out); break;
        case Event::Kind::boundary: co_await take_body(event.entity, event.text, true, out); break;
        }
    }
    if (is_stopped_) events_.clear();
    co_return !is_stopped_;
}

// ---- header

Task<void> ContentFilter::take_field(Event event, std::string& out)
{
    if (options_.checks_headers) {
        const bool stays = co_await check_field(event.header, event.text, out);
        if (!stays) co_return;
    }
    const mime::Field field = mime::make_field(event.text);
    look_at_field(event.header, field);
    if (is_superseded(field)) co_return;
    if (event.header == mime::HeaderKind::primary) co_await emit_own_field(std::move(event.text), out);
    else out += event.text;
}

Task<bool> ContentFilter::check_field(mime::HeaderKind kind, std::string& text, std::string& out)
{
    if (is_passed_) co_return !is_stopped_;
    const mime::Field field = mime::make_field(text);
    const std::string whole = text.substr(0, text.size() - 1);
    Result<ContentRules::Verdict> verdict =
        co_await options_.rules->check_header(kind, field.known, field.name(), whole, options_.log);
    if (!verdict) {
        on_trouble("header");
        stop();
        co_return false;
    }
    if (verdict->action == Action::none) co_return !is_stopped_;
    on_verdict(*verdict, "header", whole);
    if (verdict->action == Action::prepend) out += verdict->text + "\n";
    if (verdict->action == Action::replace) text = verdict->text + "\n";
    co_return !is_stopped_ && verdict->action != Action::ignore && verdict->action != Action::strip;
}

Task<void> ContentFilter::emit_own_field(std::string text, std::string& out)
{
    out += text;
    co_return;
}

bool ContentFilter::is_superseded(const mime::Field& field) const
{
    return options_.converts && field.known == mime::FieldName::content_transfer_encoding
        && is_eight_bit(mime::parse_encoding(field.after_colon()));
}

std::string ContentFilter::new_encoding_field(const mime::Entity& entity) const
{
    if (!options_.converts || !is_eight_bit(entity.encoding)) return {};
    // What holds parts says nothing of them but how many bits they need; what cannot be converted stays as it is.
    std::string_view word = "quoted-printable";
    if (entity.type == mime::MediaType::other_message) word = entity.encoding_word;
    else if (entity.is_composite()) word = "7bit";
    return "Content-Transfer-Encoding: " + std::string(word) + "\n";
}

// ---- body

Task<void> ContentFilter::take_body(const mime::Entity& entity, std::string_view text, bool is_boundary,
                                    std::string& out)
{
    if (!is_boundary) look_at_body(entity, text);
    const bool is_over = !options_.checks_body || is_passed_ || body_checked_ >= options_.rules->body_size_limit();
    if (is_over && line_.empty()) {
        emit_body(entity, text, is_boundary, out);
        co_return;
    }
    line_entity_ = entity;
    while (!text.empty() && !is_stopped_) {
        const std::size_t newline = text.find('\n');
        const std::size_t end = newline == text.npos ? text.size() : newline + 1;
        line_ += text.substr(0, end);
        text.remove_prefix(end);
        if (newline == text.npos && line_.size() < longest_line) co_return;
        co_await take_line(entity, is_boundary, out);
    }
}

Task<void> ContentFilter::take_line(const mime::Entity& entity, bool is_boundary, std::string& out)
{
    std::string line = std::exchange(line_, {});
    const bool has_newline = line.ends_with('\n');
    if (has_newline) line.pop_back();
    if (!is_passed_ && body_checked_ < options_.rules->body_size_limit()) {
        body_checked_ += line.size() + 1;
        Result<ContentRules::Verdict> verdict = co_await options_.rules->check_body(line, options_.log);
        if (!verdict) {
            on_trouble("body");
            stop();
            co_return;
        }
        if (verdict->action != Action::none) on_verdict(*verdict, "body", line);
        if (is_stopped_ || verdict->action == Action::ignore || verdict->action == Action::strip) co_return;
        if (verdict->action == Action::prepend) emit_body(entity, verdict->text + "\n", is_boundary, out);
        if (verdict->action == Action::replace) line = verdict->text;
    }
    if (has_newline) line += '\n';
    emit_body(entity, line, is_boundary, out);
}

void ContentFilter::emit_body(const mime::Entity& entity, std::string_view text, bool is_boundary, std::string& out)
{
    if (options_.converts && !is_boundary && !entity.is_composite() && is_eight_bit(entity.encoding)) {
        encoder_.encode(text, out);
        return;
    }
    encoder_.finish(out);
    out += text;
}

}  // namespace ekiden::rewrite
