// link: smtp mail
// Any line: verb and arguments are parts of it, words come out in order, and nothing reads past the end.
#include "smtp/command.hpp"

#include "base/assert.hpp"

#include <cstdint>

using namespace ekiden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view line(reinterpret_cast<const char*>(data), size);
    const smtp::Command command = smtp::parse_command(line);
    EKIDEN_ASSERT(command.verb.size() + command.arguments.size() <= command.line.size());
    EKIDEN_ASSERT(command.line.size() <= line.size());
    std::string_view rest = command.arguments;
    for (std::size_t words = 0; !rest.empty() && words <= size; ++words) {
        const auto before = rest.size();
        if (smtp::next_word(rest).empty()) break;
        EKIDEN_ASSERT(rest.size() < before);
    }
    EKIDEN_ASSERT(smtp::count_words(line) <= 8);
    (void)smtp::looks_like_header(line);
    smtp::ChunkHeader chunk;
    if (smtp::parse_chunk_header(command.arguments, chunk)) EKIDEN_ASSERT(chunk.size <= INT64_MAX);
    return 0;
}
