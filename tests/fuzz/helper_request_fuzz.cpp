// link: deliver
// Requests to the helper in any shape: refused, or understood so that they are written back the same.
#include "deliver/helper/protocol.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace ekiden::deliver;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (auto request = decode_request(bytes)) {
        if (request->arguments.size() > max_items || request->environment.size() > max_items) std::abort();
        if (request->path.find('\0') != std::string::npos) std::abort();
        if (!decode_request(encode(*request))) std::abort();
    }
    if (auto answers = decode_answers(bytes)) {
        std::string back;
        for (const auto& answer : *answers) back += encode(answer);
        if (back != bytes) std::abort();
    }
    return 0;
}
