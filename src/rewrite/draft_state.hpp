// The inside of a Draft: one message on its way through intake. Shared by intake.cpp (the steps) and draft_content, draft_parts
// (header and body as they stream by). Not for other folders.
#pragma once

#include "milter/chain.hpp"
#include "mime/header_block.hpp"
#include "rewrite/address_rules.hpp"
#include "rewrite/content_filter.hpp"
#include "rewrite/content_rules.hpp"
#include "rewrite/intake.hpp"
#include "rewrite/intake_options.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ekiden::rewrite {

struct Intake::Data {
    Data(config::SettingsPtr settings_in, std::shared_ptr<const Resolver> resolver_in, queue::Store& store_in,
         dns::Resolver* dns_in);

    config::SettingsPtr settings;
    std::shared_ptr<const Resolver> resolver;
    queue::Store& store;
    Logger log;   // "postfix/cleanup"
    IntakeOptions options;
    AddressRules rules;
    ContentRules content_rules;
    table::Maps sender_bcc_maps, recipient_bcc_maps;
    ContentRules milter_rules;                                // milter_header_checks
    dns::Resolver* dns;
    milter::SetupPtr milter_setup;                            // null without non_smtpd_milters
    std::shared_ptr<const milter::Servers> local_milters;     // non_smtpd_milters
};

// What the header has shown so far.
struct HeaderFacts {
    unsigned hops = 0;
    bool has_message_id = false, has_date = false, has_from = false, has_recipient = false;
    bool has_resent = false, has_resent_message_id = false, has_resent_date = false, has_resent_from = false;
    std::string message_id, resent_message_id;
    std::vector<std::string> further_message_ids;    // for the log
};

struct Draft::State {
    State(std::shared_ptr<const Intake::Data> data, DraftOptions options);
    ~State();

    // draft_content.cpp
    void write(std::string_view content);
    bool needs_flush() const;
    Task<Result<void>> flush();
    Task<void> finish_content();

    // draft_milters.cpp, for StoredMessage
    Task<bool> check_milter_field(std::string& text);
    void change_sender(std::string address);

    // intake.cpp: the steps of submit()
    Task<std::expected<queue::EnvelopePtr, Refusal>> submit();

    void refuse(int smtp_code, std::string enhanced, std::string text);
    void refuse(const AddressRules::Fault& fault);

    std::shared_ptr<const Intake::Data> data;
    DraftOptions options;
    mail::Envelope envelope;
    std::string id_text;
    WallTime opened_at;
    std::optional<Refusal> refusal;   // the first reason; everything after it is swallowed
    bool is_discarded = false;

    // Maps or checks have to be awaited: content is held back until flush() or submit().
    bool waits_for_tables = false;
    bool rewrites_headers = false;    // local client, or remote_header_rewrite_domain is set
    bool checks_headers = false;
    bool is_strict = false;           // the sender is told what is wrong with its MIME
    bool detects_utf8 = false;
    bool looks_at_characters = false;

private:
    void start();
    void take(std::string_view content);
    bool refuses_characters(std::string_view content);
    void count(std::string_view content);
    // Header
    std::string own_fields();
    void emit_fields_now();
    Task<void> emit_fields();
    bool admit(const mime::Field& field);
    void rewrite_field_now(const mime::Field& field, std::string& out) const;
    Task<void> rewrite_field(std::string text, std::string& out);
    void append_missing(std::string& out);
    void append_header(std::string fields);
    void end_header();
    void log_message_ids();
    // Body
    void append_body(std::string_view content);
    Task<void> work_off();
    // MIME structure and checks (draft_parts.cpp). The body goes through `filter_` where something may have to be awaited
    // or changed; else `watch_` looks at it as it passes.
    class Filter;
    class Watch;
    mime::PartReader& parts();
    void make_parts();
    void end_noted_header();
    void watch_body(std::string_view content);
    void look_at_field(mime::HeaderKind kind, const mime::Field& field);
    void look_at_header_end(const mime::Entity& entity);
    void look_at_body(const mime::Entity& entity, std::string_view text);
    void look_at_nesting();
    void refuse_flaw(std::string_view what, std::string_view where);
    std::string whence() const;
    void act(const ContentRules::Verdict& verdict, std::string_view kind, std::string_view text,
             std::string_view prefix = {});
    // Milters (draft_milters.cpp)
    bool has_local_milters() const;
    Task<void> ask_milters();
    Task<void> ask_local_milters();
    void obey_milters(const milter::Answer& answer);
    void log_milter(std::string_view action, std::string_view text);

    // Envelope
    Task<void> rewrite_sender();
    Task<void> take_recipient(mail::Recipient recipient, std::vector<mail::Recipient>& out);
    Task<void> rewrite_recipients();
    Task<void> add_bcc(std::vector<mail::Recipient>& given);
    void drop_duplicates();
    void redirect_recipients();

    queue::ContentWriter writer_;
    mime::HeaderBlock header_;
    HeaderFacts facts_;
    std::string prepended_;
    std::string line_start_;               // of the line that the next write() goes on with, for the log
    std::string last_content_type_;        // of the part looked at last
    std::string last_recipient_;           // for the log lines of checks
    std::vector<std::string> more_recipients_;   // BCC actions
    std::string held_body_;                // body that waits for the header or for checks
    milter::Chain* milters_ = nullptr;     // of the session; else null
    const milter::MacroValues* milter_values_ = nullptr;
    std::unique_ptr<Filter> filter_;
    std::unique_ptr<Watch> watch_;
    bool watches_body_ = false;
    std::uint64_t counted_ = 0;            // size of the content as SMTP counts: CRLF line ends
    bool has_started_ = false, has_rewritten_sender_ = false, header_done_ = false;
    char last_ = '\n';

    friend class Draft;
};

}  // namespace ekiden::rewrite
