// link: sasl
// A file that claims to be a sasldb2: whatever stands in it, the reader ends, stays inside, and finds only what is there.
#include "sasl/sasldb_file.hpp"

#include "base/assert.hpp"

#include <cstdint>
#include <cstring>

using namespace ekiden::sasl;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    auto file = SasldbFile::open([&](std::uint64_t offset, std::span<char> into) {
        if (offset > bytes.size() || into.size() > bytes.size() - offset) return false;
        std::memcpy(into.data(), bytes.data() + offset, into.size());
        return true;
    });
    if (!file) return 0;
    for (const char* user : {"alice", "bob", "user17", ""}) {
        Secret value;
        if (file->find(sasldb_key(user, "mail.test", "userPassword"), value) == SasldbFile::Found::yes)
            EKIDEN_ASSERT(bytes.find(value.view()) != bytes.npos);
    }
    return 0;
}
