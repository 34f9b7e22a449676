// link: verify
// A file of verified addresses may hold anything after a crash: whatever is read from it must be writable again, and mean the
// same then.
#include "verify/journal.hpp"

#include "base/assert.hpp"

#include <cstdint>

using namespace ekiden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    std::string again = "ekiden-verify 1\n";
    std::size_t taken = 0;
    verify::JournalReader reader;
    reader.on_answer = [&](std::string address, verify::Answer answer) {
        EKIDEN_ASSERT(!address.empty() && answer.text.size() <= verify::longest_text);
        again += verify::answer_line(address, answer);
        ++taken;
    };
    reader.on_cleaned = [&](WallTime at) {
        again += verify::cleaned_line(at);
        ++taken;
    };
    if (!reader.read(bytes)) return 0;
    EKIDEN_ASSERT(taken + reader.damaged == reader.lines);
    verify::JournalReader second;
    EKIDEN_ASSERT(second.read(again).has_value());
    EKIDEN_ASSERT(second.lines == taken && second.damaged == 0);
    return 0;
}
