// link: smtp mail
// Any bytes as the lines of a peer's replies: bounded, and what was parsed can be printed and parsed again.
#include "smtp/extensions.hpp"
#include "smtp/reply.hpp"

#include "base/assert.hpp"
#include "base/text.hpp"

using namespace ekiden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    smtp::ReplyParser parser;
    for (const auto line : base::split(bytes, '\n')) {
        const auto fed = parser.feed(line);
        if (!fed) return 0;
        if (!*fed) continue;
        const smtp::Reply reply = parser.take();
        EKIDEN_ASSERT(reply.code >= 0 && reply.code < 1000);
        EKIDEN_ASSERT(!reply.lines.empty() && reply.lines.size() <= smtp::max_reply_lines);
        (void)smtp::parse_offer(reply);
        (void)smtp::one_line(reply);
        const std::string printed = smtp::format(reply);
        smtp::ReplyParser second;
        std::size_t complete = 0;
        for (const auto again : base::split(std::string_view(printed).substr(0, printed.size() - 1), '\n')) {
            const auto result = second.feed(again);
            EKIDEN_ASSERT(result.has_value());
            if (*result) ++complete;
        }
        EKIDEN_ASSERT(complete == 1 && second.take().code == reply.code);
    }
    return 0;
}
