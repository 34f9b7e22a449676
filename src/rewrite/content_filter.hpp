// Content on its way through checks and conversion, as it streams: header fields of the message, of its parts and of
// attached messages, and lines of the body, each against its table; 8-bit parts turned into quoted-printable where that
// is wanted (RFC 6152 3). Used for mail that comes in and for mail that is sent; what a verdict means is up to them.
//
// What is held is bounded by the piece that was fed, one header field and one line. One owner, one core.
#pragma once

#include "mime/parts.hpp"
#include "mime/quoted_printable.hpp"
#include "rewrite/content_rules.hpp"

#include <deque>
#include <string>
#include <string_view>

namespace ekiden::rewrite {

class ContentFilter : private mime::PartReader::Sink {
public:
    struct Options {
        const ContentRules* rules = nullptr;   // outlives the filter
        bool checks_headers = false, checks_body = false;
        bool converts = false;                 // claimed 8-bit content → quoted-printable
        mime::PartReader::Options parts;
        const Logger* log = nullptr;
    };
    explicit ContentFilter(const Options& options) : options_(options), parts_(options.parts) {}
    ~ContentFilter() override = default;
    ContentFilter(const ContentFilter&) = delete;
    ContentFilter& operator=(const ContentFilter&) = delete;

    // Appends what becomes of `content` to `out`. False: it is over, and whoever stopped it knows why.
    Task<bool> feed(std::string_view content, std::string& out);
    Task<bool> finish(std::string& out);

    // A field of any header: checked, perhaps replaced. False when it goes, or everything is over.
    Task<bool> check_field(mime::HeaderKind kind, std::string& text, std::string& out);
    void stop() { is_stopped_ = true; }
    bool is_stopped() const { return is_stopped_; }
    void pass() { is_passed_ = true; }         // no more checks
    // Is this field to be left out because conversion puts another at the header's end?
    bool is_superseded(const mime::Field& field) const;
    // That other field, or "".
    std::string new_encoding_field(const mime::Entity& entity) const;
    // Who reads the message's own header himself notes its fields here, says when it ends, and feeds the body.
    mime::PartReader& parts() { return parts_; }
    void end_noted_header() { parts_.end_noted_header(*this); }

protected:
    // An action other than none; `kind` is "header" or "body", `text` what matched.
    virtual void on_verdict(const ContentRules::Verdict& verdict, std::string_view kind, std::string_view text) = 0;
    virtual void on_trouble(std::string_view kind) = 0;   // a table does not answer; must stop()
    // A field of the message's own header that stays: appends it, perhaps changed.
    virtual Task<void> emit_own_field(std::string text, std::string& out);
    virtual void look_at_field(mime::HeaderKind, const mime::Field&) {}
    virtual void look_at_header_end(const mime::Entity&) {}
    virtual void look_at_body(const mime::Entity&, std::string_view) {}
    virtual void on_nesting_limit() override {}

private:
    struct Event {
        enum class Kind : std::uint8_t { field, header_end, body, boundary } kind;
        mime::HeaderKind header = mime::HeaderKind::primary;
        mime::Entity entity;
        std::string text;
    };
    void on_field(mime::HeaderKind kind, std::string_view raw) override;
    void on_header_end(mime::HeaderKind kind, const mime::Entity& entity, std::string_view blank) override;
    void on_body(const mime::Entity& entity, std::string_view text, bool is_boundary) override;

    Task<bool> work_off(std::string& out);
    Task<void> take_field(Event event, std::string& out);
    Task<void> take_body(const mime::Entity& entity, std::string_view text, bool is_boundary, std::string& out);
    Task<void> take_line(const mime::Entity& entity, bool is_boundary, std::string& out);
    void emit_body(const mime::Entity& entity, std::string_view text, bool is_boundary, std::string& out);

    const Options options_;
    mime::PartReader parts_;
    mime::QuotedPrintable encoder_;
    std::deque<Event> events_;
    std::string line_;                 // the body line being gathered for its check
    mime::Entity line_entity_;
    std::size_t body_checked_ = 0;     // bytes of this part that were looked at
    bool is_stopped_ = false, is_passed_ = false;
};

}  // namespace ekiden::rewrite
