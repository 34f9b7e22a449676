// link: queue
// The bytes of a log may be anything after a crash or on a dying disk: decoding must stay within them, and what it
// accepts must be what it would write. First byte: which decoder.
#include "queue/checkpoint.hpp"
#include "queue/record.hpp"

#include <cstdlib>
#include <string_view>

using namespace ekiden::queue;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) return 0;
    std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    auto must = [](bool holds) { if (!holds) std::abort(); };
    switch (data[0] % 5) {
    case 0:
        if (auto header = decode_header(bytes)) {
            auto again = encode_header(*header);
            must(bytes.starts_with(std::string_view(again.data(), again.size())));
        }
        break;
    case 1:
        if (auto record = decode_accept(bytes)) {
            must(encode(*record) == bytes);
            Entry entry = make_entry(*record, {1, 0, 48}, record->chunks);
            must(entry.pending.size() <= record->envelope.recipients.size());
            must(PendingReasons(*record).take().size() == entry.pending.size());
        }
        break;
    case 2:
        if (auto record = decode_state(bytes)) {
            must(encode(*record) == bytes);
            Entry entry;
            entry.pending = PendingSet(100);
            entry.apply(*record);
            entry.apply(*record);
        }
        break;
    case 3:
        if (auto record = decode_remove(bytes)) must(encode(*record) == bytes);
        break;
    case 4: (void)decode_checkpoint(bytes).has_value(); break;
    }
    return 0;
}
