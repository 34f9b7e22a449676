#include "mime/header.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>

namespace ekiden::mime {
namespace {

struct Known {
    std::string_view name;   // lower case
    FieldName field;
    AddressRole role = AddressRole::none;
};

// One row for every field with a meaning to us; sorted by name.
constexpr std::array known_fields = std::to_array<Known>({
    {"apparently-to", FieldName::apparently_to, AddressRole::recipient},
    {"bcc", FieldName::bcc, AddressRole::recipient},
    {"cc", FieldName::cc, AddressRole::recipient},
    {"content-length", FieldName::content_length},
    {"content-transfer-encoding", FieldName::content_transfer_encoding},
    {"content-type", FieldName::content_type},
    {"date", FieldName::date},
    {"delivered-to", FieldName::delivered_to},
    {"disposition-notification-to", FieldName::disposition_notification_to, AddressRole::sender},
    {"errors-to", FieldName::errors_to, AddressRole::sender},
    {"from", FieldName::from, AddressRole::sender},
    {"mail-followup-to", FieldName::mail_followup_to, AddressRole::sender},
    {"message-id", FieldName::message_id},
    {"mime-version", FieldName::mime_version},
    {"received", FieldName::received},
    {"reply-to", FieldName::reply_to, AddressRole::sender},
    {"resent-bcc", FieldName::resent_bcc, AddressRole::recipient},
    {"resent-cc", FieldName::resent_cc, AddressRole::recipient},
    {"resent-date", FieldName::resent_date},
    {"resent-from", FieldName::resent_from, AddressRole::sender},
    {"resent-message-id", FieldName::resent_message_id},
    {"resent-reply-to", FieldName::resent_reply_to, AddressRole::sender},
    {"resent-sender", FieldName::resent_sender, AddressRole::sender},
    {"resent-to", FieldName::resent_to, AddressRole::recipient},
    {"return-path", FieldName::return_path, AddressRole::sender},
    {"return-receipt-to", FieldName::return_receipt_to, AddressRole::sender},
    {"sender", FieldName::sender, AddressRole::sender},
    {"to", FieldName::to, AddressRole::recipient},
});
static_assert(std::is_sorted(known_fields.begin(), known_fields.end(),
                             [](auto& a, auto& b) { return a.name < b.name; }));

constexpr std::size_t longest_known = 27;   // disposition-notification-to

constexpr bool is_name_character(char c) { return c > 32 && c < 127 && c != ':'; }

}  // namespace

FieldName classify_field(std::string_view name)
{
    if (name.empty() || name.size() > longest_known) return FieldName::other;
    std::array<char, longest_known> lower;
    std::transform(name.begin(), name.end(), lower.begin(), base::to_lower);
    const std::string_view key(lower.data(), name.size());
    const auto row = std::lower_bound(known_fields.begin(), known_fields.end(), key,
                                      [](const Known& k, std::string_view n) { return k.name < n; });
    return row != known_fields.end() && row->name == key ? row->field : FieldName::other;
}

AddressRole address_role(FieldName name)
{
    static constexpr auto roles = [] {
        std::array<AddressRole, static_cast<std::size_t>(FieldName::to) + 1> table{};
        for (const auto& row : known_fields) table[static_cast<std::size_t>(row.field)] = row.role;
        return table;
    }();
    return roles[static_cast<std::size_t>(name)];
}

bool is_resent(FieldName name)
{
    return name >= FieldName::resent_bcc && name <= FieldName::resent_to;
}

std::string_view Field::body() const { return base::trim(after_colon()); }

FieldStart field_start(std::string_view line)
{
    std::size_t length = 0;
    while (length < line.size() && is_name_character(line[length])) ++length;
    std::size_t colon = length;
    while (colon < line.size() && (line[colon] == ' ' || line[colon] == '\t')) ++colon;
    if (length == 0 || colon == line.size() || line[colon] != ':') return {};
    return {length, colon + 1};
}

Field make_field(std::string_view raw)
{
    const auto start = field_start(raw);
    Field field{FieldName::other, raw, start.name_length, start.body_at};
    field.known = classify_field(field.name());
    return field;
}

std::string unfold(std::string_view body)
{
    std::string out(body);
    std::erase(out, '\n');
    return out;
}

FieldNames::FieldNames(const std::vector<std::string>& names)
{
    for (const auto& name : names) {
        names_.push_back(base::lower(name));
        lengths_ |= 1ull << std::min<std::size_t>(name.size(), 63);
    }
}

bool FieldNames::contains(std::string_view name) const
{
    if ((lengths_ >> std::min<std::size_t>(name.size(), 63) & 1) == 0) return false;
    return std::any_of(names_.begin(), names_.end(), [&](const auto& n) { return base::equal_ignoring_case(n, name); });
}

}  // namespace ekiden::mime
