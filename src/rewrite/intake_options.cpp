#include "rewrite/intake_options.hpp"

#include <algorithm>

namespace ekiden::rewrite {

IntakeOptions IntakeOptions::from(const config::Settings& settings)
{
    const auto size = [&](const char* name) { return static_cast<std::size_t>(settings.integer(name)); };
    IntakeOptions o;
    o.myhostname = settings.str("myhostname");
    o.mail_name = settings.str("mail_name");
    o.header_size_limit = size("header_size_limit");
    o.header_token_limit = size("header_address_token_limit");
    o.hopcount_limit = static_cast<unsigned>(size("hopcount_limit"));
    o.duplicate_filter_limit = size("duplicate_filter_limit");
    o.dropped_fields = mime::FieldNames(settings.list("message_drop_headers"));
    o.adds_missing_always = settings.boolean("always_add_missing_headers");
    o.keeps_original_recipient = settings.boolean("enable_original_recipient");
    o.replaces_stray_cr = settings.boolean("cleanup_replace_stray_cr_lf");
    o.has_obsolete_from = settings.str("header_from_format") == "obsolete";
    // Postfix 3.7 writes names as they are; only who names a charset wants more.
    if (settings.is_set("full_name_encoding_charset"))
        o.full_name_charset = settings.str("full_name_encoding_charset");
    o.has_remote_domain = !settings.str("remote_header_rewrite_domain").empty();
    o.parts = {.follows_structure = !settings.boolean("disable_mime_input_processing"),
               .nesting_limit = size("mime_nesting_limit"),
               .boundary_limit = size("mime_boundary_length_limit"),
               .field_limit = o.header_size_limit};
    o.detects_eight_bit = settings.boolean("detect_8bit_encoding_header");
    o.converts_eight_bit = settings.boolean("force_mime_input_conversion");
    const bool is_strict = settings.boolean("strict_8bitmime");
    o.refuses_eight_bit_headers = is_strict || settings.boolean("strict_7bit_headers");
    o.refuses_eight_bit_body = is_strict || settings.boolean("strict_8bitmime_body");
    o.refuses_bad_encodings = settings.boolean("strict_mime_encoding_domain");
    o.characters = {settings.str("message_strip_characters"), settings.str("message_reject_characters")};
    o.recipient_delimiter = settings.str("recipient_delimiter");
    o.always_bcc = settings.str("always_bcc");
    o.undisclosed_recipients = settings.str("undisclosed_recipients_header");
    o.empty_recipient = settings.str("empty_address_recipient");
    if (settings.boolean("smtputf8_enable")) {
        const auto classes = settings.list("smtputf8_autodetect_classes");
        const auto has = [&](std::string_view name) {
            return std::any_of(classes.begin(), classes.end(), [&](const auto& c) { return c == name || c == "all"; });
        };
        o.detects_utf8_of_smtpd = has("smtpd");
        o.detects_utf8_of_sendmail = has("sendmail");
        o.detects_utf8_of_bounce = has("bounce");
        o.detects_utf8_of_forward = has("forward");
        o.detects_utf8_of_notify = has("notify");
        o.detects_utf8_of_probe = has("verify");
    }
    return o;
}

}  // namespace ekiden::rewrite
