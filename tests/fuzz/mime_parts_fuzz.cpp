// link: mime mail
// The structure of any message in any chunking: every byte comes out again in order, boundaries and fields are what they
// claim to be, and chunking changes nothing.
#include "mime/parts.hpp"
#include "mime/quoted_printable.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

struct Recorder : ekiden::mime::PartReader::Sink {
    std::string bytes, fields;
    bool in_boundary_line = false;
    void on_field(ekiden::mime::HeaderKind, std::string_view raw) override
    {
        if (ekiden::mime::field_start(raw).name_length == 0 || raw.back() != '\n') std::abort();
        (fields += raw) += '|';
        bytes += raw;
    }
    void on_header_end(ekiden::mime::HeaderKind, const ekiden::mime::Entity&, std::string_view blank) override
    {
        bytes += blank;
    }
    void on_body(const ekiden::mime::Entity&, std::string_view text, bool is_boundary) override
    {
        if (is_boundary && !in_boundary_line && !text.starts_with("--")) std::abort();
        in_boundary_line = is_boundary && !text.ends_with('\n');
        bytes += text;
    }
    void on_nesting_limit() override {}
};

Recorder read(std::string_view content, std::size_t step)
{
    Recorder recorder;
    ekiden::mime::PartReader reader({.nesting_limit = 5, .boundary_limit = 70, .field_limit = 1 << 20});
    reader.start_with_header();
    for (std::size_t at = 0; at < content.size(); at += step) reader.feed(content.substr(at, step), recorder);
    reader.finish(recorder);
    return recorder;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size < 2) return 0;
    const std::string_view content(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (content.back() != '\n') return 0;   // a last header line gets its end
    const Recorder whole = read(content, content.size()), pieces = read(content, data[0] % 64 + 1u);
    if (whole.bytes != content || pieces.bytes != content || whole.fields != pieces.fields) std::abort();

    ekiden::mime::QuotedPrintable encoder;
    std::string out;
    encoder.encode(content, out);
    encoder.finish(out);
    for (const char c : out)
        if (static_cast<unsigned char>(c) > 126 || (c < ' ' && c != '\n' && c != '\t')) std::abort();
    return 0;
}
