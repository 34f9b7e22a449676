// link: deliver
// .forward files, right-hand sides of aliases and :include: lists: whatever is in them, the parser ends, makes no more targets
// than the text has characters, and none without a text that is not larger than what it came from.
#include "deliver/local/targets.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace ekiden::deliver;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const auto& targets : {parse_targets(text), parse_target_lines(text, 512)}) {
        if (targets.size() > size) std::abort();
        std::size_t total = 0;
        for (const Target& target : targets) {
            total += target.text.size();
            // A command or file is never the empty word: it would be the shell, or a folder.
            if (target.kind == Target::Kind::file && !target.text.starts_with('/')) std::abort();
        }
        if (total > 2 * size + 64) std::abort();
    }
    return 0;
}
