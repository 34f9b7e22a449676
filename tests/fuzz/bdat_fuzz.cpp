// link: smtp mail
// Any bytes as BDAT chunks: chunk borders must not matter, no CRLF is left, and the last line is ended.
#include "smtp/dot_stream.hpp"

#include "base/assert.hpp"

using namespace ekiden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) return 0;
    const std::string_view wire(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t step = data[0] % 9 + 1;
    smtp::ChunkDecoder whole, pieces;
    std::string content, piecewise;
    whole.decode(wire, content);
    for (std::size_t at = 0; at < wire.size(); at += step) pieces.decode(wire.substr(at, step), piecewise);
    EKIDEN_ASSERT(content == piecewise);
    EKIDEN_ASSERT(whole.saw_bare_newline() == pieces.saw_bare_newline());
    whole.finish(content);
    pieces.finish(piecewise);
    EKIDEN_ASSERT(content == piecewise);
    EKIDEN_ASSERT(content.empty() || content.back() == '\n');
    EKIDEN_ASSERT(content.size() <= wire.size() + 1);
    return 0;
}
