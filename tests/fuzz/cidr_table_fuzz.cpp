// link: table
// cidr files: no input may crash the parser or the search; keys come from the first line.
#include "table/openers.hpp"

#include "base/log_sinks.hpp"

#include <cstdint>
#include <cstdlib>

using namespace ekiden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const bool is_silent = (base::use_sink(base::function_sink([](auto, auto, auto) {})), true);
    (void)is_silent;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string_view key = text.substr(0, text.find('\n'));
    const table::OpenOptions options;
    const table::OpenRequest request{"cidr:fuzz", "cidr", "fuzz", options};
    auto parsed = table::parse_cidr(request, text, {});
    if (!parsed) return 0;
    for (std::string_view address : {key, std::string_view("127.0.0.1"), std::string_view("2001:db8::1")}) {
        const auto answer = (*parsed)->lookup(address);
        if (!answer || (*answer && (*answer)->empty())) std::abort();  // cidr rules cannot fail and have a value
    }
    return 0;
}
