// What intake wants to know of the settings, typed once per snapshot.
#pragma once

#include "config/settings.hpp"
#include "mime/header.hpp"
#include "mime/parts.hpp"
#include "rewrite/characters.hpp"

#include <cstddef>
#include <string>

namespace ekiden::rewrite {

struct IntakeOptions {
    std::string myhostname, mail_name;
    std::size_t header_size_limit = 102400;     // bytes of one field
    std::size_t header_token_limit = 10240;     // tokens of one address field
    unsigned hopcount_limit = 50;
    std::size_t duplicate_filter_limit = 1000;  // recipients remembered; 0 = no limit
    mime::FieldNames dropped_fields;            // message_drop_headers
    bool adds_missing_always = false;           // always_add_missing_headers
    bool keeps_original_recipient = true;  // enable_original_recipient: copies for different originals are different
    bool replaces_stray_cr = true;              // cleanup_replace_stray_cr_lf
    bool has_obsolete_from = false;             // header_from_format = obsolete
    std::string full_name_charset;              // full_name_encoding_charset; "": names stay as they are
    bool has_remote_domain = false;             // remote_header_rewrite_domain is not empty
    // Sources whose mail is taken for SMTPUTF8 mail when a header or address is UTF-8 (smtputf8_autodetect_classes).
    bool detects_utf8_of_smtpd = false, detects_utf8_of_sendmail = false, detects_utf8_of_bounce = false,
         detects_utf8_of_forward = false, detects_utf8_of_notify = false, detects_utf8_of_probe = false;
    mime::PartReader::Options parts;            // mime_nesting_limit, disable_mime_input_processing …
    bool detects_eight_bit = true;              // detect_8bit_encoding_header
    bool converts_eight_bit = false;            // force_mime_input_conversion
    bool refuses_eight_bit_headers = false,
         refuses_eight_bit_body = false;        // strict_8bitmime, strict_7bit_headers, strict_8bitmime_body
    bool refuses_bad_encodings = false;         // strict_mime_encoding_domain
    CharacterRules characters;                  // message_strip_characters, message_reject_characters
    std::string recipient_delimiter;
    std::string always_bcc, undisclosed_recipients, empty_recipient;

    static IntakeOptions from(const config::Settings& settings);
};

}  // namespace ekiden::rewrite
