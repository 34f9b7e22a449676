// link: smtp mail
// Any bytes as DATA input: the pieces in which they come must not matter, and what was taken for content must not end the
// data when we send it on (smuggling). The first byte chooses policy and piece size.
#include "smtp/dot_stream.hpp"

#include "base/assert.hpp"

using namespace ekiden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) return 0;
    const std::string_view wire(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto policy = data[0] & 1 ? smtp::BareNewline::normalize : smtp::BareNewline::accept;
    const std::size_t step = (data[0] >> 1) % 7 + 1;

    smtp::DotDecoder whole(policy), pieces(policy);
    std::string content, piecewise;
    std::string_view rest = wire;
    const bool is_complete = whole.decode(rest, content);
    std::size_t used = 0;
    bool is_complete_too = false;
    while (used < wire.size() && !is_complete_too) {
        std::string_view piece = wire.substr(used, step);
        const auto before = piece.size();
        is_complete_too = pieces.decode(piece, piecewise);
        used += before - piece.size();
    }
    EKIDEN_ASSERT(is_complete == is_complete_too);
    EKIDEN_ASSERT(content == piecewise);
    EKIDEN_ASSERT(used == wire.size() - rest.size());
    EKIDEN_ASSERT(whole.saw_bare_newline() == pieces.saw_bare_newline());
    if (is_complete) EKIDEN_ASSERT(content.empty() || content.back() == '\n');

    smtp::DotEncoder encoder(data[0] & 128 ? 20 : 0);
    std::string sent;
    encoder.encode(content, sent);
    encoder.finish(sent);
    const auto end = sent.find("\r\n.\r\n");
    EKIDEN_ASSERT(sent == ".\r\n" || (!sent.starts_with(".\r\n") && end + 5 == sent.size()));
    for (std::size_t i = 0; i < sent.size(); ++i) {
        if (sent[i] == '\n') EKIDEN_ASSERT(i > 0 && sent[i - 1] == '\r');
    }
    // Without line breaking the far side has what we had, but for a missing last line end.
    if (!(data[0] & 128)) {
        smtp::DotDecoder far(smtp::BareNewline::normalize);
        std::string arrived;
        std::string_view all = sent;
        EKIDEN_ASSERT(far.decode(all, arrived) && all.empty());
        if (!content.empty() && content.back() != '\n') content += '\n';
        EKIDEN_ASSERT(arrived == content || content.find("\r\n") != std::string::npos);
    }
    return 0;
}
