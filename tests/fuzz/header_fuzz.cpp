// link: mime mail
// Message content in any shape and chunking: no byte of the body is lost, fields are well formed, addresses found in a
// field are found again after they have been put back.
#include "mime/addresses.hpp"
#include "mime/header_block.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace ekiden::mime;
    if (size == 0) return 0;
    const std::size_t step = data[0] % 64 + 1;
    const std::string_view content(reinterpret_cast<const char*>(data) + 1, size - 1);

    HeaderBlock block(512);
    std::size_t at = 0;
    while (at < content.size() && !block.is_complete()) at += block.feed(content.substr(at, step));
    block.finish();
    if (!block.is_complete()) std::abort();
    const auto rest = content.substr(at);
    if (!content.ends_with(rest)) std::abort();

    for (const auto& field : block.fields()) {
        if (field.name_length == 0 || field.raw.back() != '\n' || field.raw.size() > 513 + 16) std::abort();
        const auto list = find_addresses(field.after_colon(), 100);
        std::vector<std::string> same;
        for (const auto& span : list.addresses) {
            if (span.begin > span.end || span.end > field.after_colon().size()) std::abort();
            same.push_back(span.address + "@x.example");
        }
        const auto replaced = replace_addresses(field.after_colon(), list, same);
        if (replaced.size() > 4 * field.raw.size() + 40 * same.size() + 64) std::abort();
    }
    return 0;
}
