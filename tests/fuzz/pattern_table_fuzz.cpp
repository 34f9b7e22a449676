// link: table
// regexp and pcre files: no rule may crash the parser, and no subject the match. The regular expressions themselves are
// the administrator's, but their text goes through our grammar first. glibc's regcomp and regexec have no bound of
// their own, so repetition counts are kept out of the regexp half.
#include "table/openers.hpp"

#include "base/log_sinks.hpp"

#include <cstdint>

using namespace ekiden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const bool is_silent = (base::use_sink(base::function_sink([](auto, auto, auto) {})), true);
    (void)is_silent;
    if (size > 4096) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string_view key = text.substr(0, std::min<std::size_t>(text.find('\n'), 64));
    const table::OpenOptions options;
    for (std::string_view type : {"pcre", "regexp"}) {
        if (type == "regexp" && (text.contains('{') || text.contains('\\'))) continue;
        const table::OpenRequest request{std::string(type) + ":fuzz", type, "fuzz", options};
        auto parsed = table::parse_patterns(request, text, {});
        if (!parsed) continue;
        (void)(*parsed)->lookup(key);
        (void)(*parsed)->lookup("user+ext@example.com");
    }
    return 0;
}
