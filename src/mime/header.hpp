// One header field as it stands in a message: "Name: body", folded over lines, LF line ends, final newline included.
// Views into a HeaderBlock; nothing is decoded here. Thread: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::mime {

// Fields that some step of the road treats in its own way.
enum class FieldName : std::uint8_t {
    other, apparently_to, bcc, cc, content_length, content_transfer_encoding, content_type, date, delivered_to,
    disposition_notification_to, errors_to, from, mail_followup_to, message_id, mime_version, received, reply_to,
    resent_bcc, resent_cc, resent_date, resent_from, resent_message_id, resent_reply_to, resent_sender, resent_to,
    return_path, return_receipt_to, sender, to,
};

FieldName classify_field(std::string_view name);   // ASCII case is ignored
// Whose address stands in it: rewritten by the maps for senders, for recipients, or no address at all.
enum class AddressRole : std::uint8_t { none, sender, recipient };
AddressRole address_role(FieldName name);
bool is_resent(FieldName name);

struct Field {
    FieldName known = FieldName::other;
    std::string_view raw;            // with the final newline
    std::size_t name_length = 0;     // without blanks before the colon
    std::size_t body_at = 0;         // behind the colon

    std::string_view name() const { return raw.substr(0, name_length); }
    std::string_view after_colon() const { return raw.substr(body_at, raw.size() - body_at - 1); }   // blanks kept
    std::string_view body() const;   // without blanks around it
};

// A field from its text, which ends in a newline; known = other and no name when it is not one.
Field make_field(std::string_view raw);

// Length of the field name, and where its body begins, when the line starts a field (RFC 5322 2.2, blanks before the
// colon tolerated); length 0 when it does not.
struct FieldStart {
    std::size_t name_length = 0, body_at = 0;
};
FieldStart field_start(std::string_view line);

// Line breaks of a folded body removed, the white space behind them kept.
std::string unfold(std::string_view body);

// A set of field names, as message_drop_headers gives it.
class FieldNames {
public:
    FieldNames() = default;
    explicit FieldNames(const std::vector<std::string>& names);
    bool contains(std::string_view name) const;

private:
    std::vector<std::string> names_;   // lower case
    std::uint64_t lengths_ = 0;        // bit n: some name has n characters; most fields are told apart by this
};

}  // namespace ekiden::mime
