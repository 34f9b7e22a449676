// link: milter
// Any bytes as what a milter says: packets are cut out of them, fields and changes read, within their bounds.
#include "milter/edits.hpp"
#include "milter/macros.hpp"

#include "base/assert.hpp"

using namespace ekiden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    constexpr std::size_t body_limit = 4096;
    milter::Edits edits;
    for (;;) {
        const std::size_t had = bytes.size();
        const auto packet = milter::take_packet(bytes);
        if (!packet || !*packet) {
            EKIDEN_ASSERT(bytes.size() == had);
            break;
        }
        EKIDEN_ASSERT((*packet)->data.size() < milter::max_packet && bytes.size() < had);
        if (milter::is_edit((*packet)->letter)) {
            const std::size_t edits_before = edits.list.size();
            const auto taken = milter::take_edit(edits, **packet, body_limit);
            EKIDEN_ASSERT(taken || edits.list.size() == edits_before);
        }
        milter::FieldReader fields((*packet)->data);
        while (!fields.is_at_end()) {
            if (!fields.number()) break;
            const auto names = fields.text();
            if (!names) break;
            const auto parsed = milter::MacroNames::parse(*names);
            EKIDEN_ASSERT(parsed.size() <= milter::MacroNames::most_names);
        }
    }
    EKIDEN_ASSERT(edits.body.size() <= body_limit);
    EKIDEN_ASSERT(edits.list.size() <= milter::Edits::most_edits);
    for (const milter::Edit& edit : edits.list) {
        EKIDEN_ASSERT(edit.name.find('\0') == edit.name.npos && edit.value.find('\0') == edit.value.npos);
    }
    return 0;
}
