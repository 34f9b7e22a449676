#include "mime/parts.hpp"
#include "mime/quoted_printable.hpp"

#include <gtest/gtest.h>

namespace ekiden::mime {
namespace {

// What the reader says, one word an event; neighbouring pieces of a body are one.
struct Recorder : PartReader::Sink {
    std::vector<std::string> events;
    std::string bytes;
    bool is_too_deep = false;

    void on_field(HeaderKind kind, std::string_view raw) override
    {
        bytes += raw;
        events.push_back(std::string(name(kind)) + " " + std::string(raw.substr(0, raw.find(':'))));
    }
    void on_header_end(HeaderKind kind, const Entity& entity, std::string_view blank) override
    {
        bytes += blank;
        events.push_back(std::string(name(kind)) + " end" + (entity.encoding == Encoding::eight_bit ? " 8bit" : ""));
    }
    void on_body(const Entity& entity, std::string_view text, bool is_boundary) override
    {
        bytes += text;
        const std::string word = is_boundary ? "boundary " : entity.encoding == Encoding::eight_bit ? "8bit " : "body ";
        if (!is_boundary && !events.empty() && events.back().starts_with(word)) events.back() += text;
        else events.push_back(word + std::string(text));
    }
    void on_nesting_limit() override { is_too_deep = true; }

    static std::string_view name(HeaderKind kind)
    {
        return kind == HeaderKind::primary ? "own" : kind == HeaderKind::part ? "part" : "nested";
    }
};

Recorder read(std::string_view content, std::size_t step, PartReader::Options options = {})
{
    Recorder recorder;
    PartReader reader(options);
    reader.start_with_header();
    for (std::size_t at = 0; at < content.size(); at += step) reader.feed(content.substr(at, step), recorder);
    reader.finish(recorder);
    return recorder;
}

TEST(parts, are_told_apart_in_any_chunking)
{
    using Events = std::vector<std::string>;
    const struct {
        const char* label;
        std::string_view content;
        Events events;
    } cases[] = {
        {"plain", "Subject: x\n\n--x\nbody\n", {"own Subject", "own end", "body --x\nbody\n"}},
        {"multipart",
         "Content-Type: multipart/mixed; boundary=x\n\npre\n--x\nA: 1\n\none\n--y\n--x\n\ntwo\n--x--\nepi\n",
         {"own Content-Type", "own end", "body pre\n", "boundary --x\n", "part A", "part end", "body one\n--y\n",
          "boundary --x\n", "part end", "body two\n", "boundary --x--\n", "body epi\n"}},
        {"attached message",
         "Content-Type: message/rfc822\n\nSubject: in\nContent-Transfer-Encoding: 8bit\n\nbody\n",
         {"own Content-Type", "own end", "nested Subject", "nested Content-Transfer-Encoding", "nested end 8bit",
          "8bit body\n"}},
        {"digest",
         "Content-Type: multipart/digest; boundary=\"x y\"\n\n--x y\n\nSubject: in\n\nb\n--x y--\n",
         {"own Content-Type", "own end", "boundary --x y\n", "part end", "nested Subject", "nested end", "body b\n",
          "boundary --x y--\n"}},
        {"outer boundary ends inner parts",
         "Content-Type: multipart/mixed; boundary=out\n\n--out\nContent-Type: multipart/mixed; boundary=in\n\n--in\n\nx\n--out\n\ny\n--out--\n",
         {"own Content-Type", "own end", "boundary --out\n", "part Content-Type", "part end", "boundary --in\n",
          "part end", "body x\n", "boundary --out\n", "part end", "body y\n", "boundary --out--\n"}},
        {"boundary in a header",
         "Content-Type: multipart/mixed; boundary=x\n\n--x\nA: 1\n--x\nB: 2\n\nb\n",
         {"own Content-Type", "own end", "boundary --x\n", "part A", "part end", "boundary --x\n", "part B", "part end",
          "body b\n"}},
        {"no end of line",
         "Content-Type: multipart/mixed; boundary=x\n\n--x",
         {"own Content-Type", "own end", "boundary --x"}},
        {"partial is not looked into",
         "Content-Type: message/partial\n\nSubject: in\n",
         {"own Content-Type", "own end", "body Subject: in\n"}},
        {"a mailbox line in a part is no field",
         "Content-Type: message/rfc822\n\nFrom x\nA: 1\n",
         {"own Content-Type", "own end", "nested end", "body From x\nA: 1\n"}},
        {"preamble has no encoding",
         "Content-Type: multipart/mixed; boundary=x\nContent-Transfer-Encoding: 8bit\n\n--x\n\nb\n--x--\nepi\n",
         {"own Content-Type", "own Content-Transfer-Encoding", "own end 8bit", "boundary --x\n", "part end", "body b\n",
          "boundary --x--\n", "body epi\n"}},
    };
    for (const auto& c : cases) {
        for (const std::size_t step : {1, 2, 7, 10000}) {
            const Recorder got = read(c.content, step);
            EXPECT_EQ(got.events, c.events) << c.label << " step " << step;
            EXPECT_EQ(got.bytes, c.content) << c.label << " step " << step;
        }
    }
}

TEST(parts, are_bounded)
{
    std::string deep;
    for (int i = 0; i < 5; ++i)
        deep += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\n\n--b" + std::to_string(i) + "\n";
    deep += "\nx\n";
    EXPECT_FALSE(read(deep, 1000, {.nesting_limit = 3}).is_too_deep);
    const Recorder limited = read(deep, 1000, {.nesting_limit = 2});
    EXPECT_TRUE(limited.is_too_deep);
    EXPECT_EQ(limited.bytes, deep);
    // Boundaries are told apart by their beginning only.
    const std::string cut = "Content-Type: multipart/mixed; boundary=abcdefgh\n\n--abcdeXXX\nA: 1\n\nb\n";
    EXPECT_EQ(read(cut, 3, {.boundary_limit = 5}).events[2], "boundary --abcdeXXX\n");
    EXPECT_EQ(read(cut, 3).events[2], "body --abcdeXXX\nA: 1\n\nb\n");
    EXPECT_EQ(read(cut, 3, {.follows_structure = false}).events.back(), "body --abcdeXXX\nA: 1\n\nb\n");
    // A line without end is not gathered for ever.
    const std::string longest = "Content-Type: multipart/mixed; boundary=x\n\n--" + std::string(100000, 'y');
    EXPECT_EQ(read(longest, 1000).bytes, longest);
}

TEST(parts, content_type_is_read_with_comments_and_quotes)
{
    const struct {
        std::string_view text;
        MediaType type;
        std::string_view boundary;
    } cases[] = {
        {" text/plain; boundary=x", MediaType::leaf, ""},
        {" multipart/mixed; boundary=x", MediaType::multipart, "x"},
        {" (c (d)) Multipart (x) / Mixed ;\n charset=a; BOUNDARY = \"a\\\"b c\" ; x=y", MediaType::multipart, "a\"b c"},
        {"multipart/mixed; boundary=----=_Part/1", MediaType::multipart, "----=_Part/1"},
        {"multipart/digest", MediaType::digest, ""},
        {"message/RFC822; x=y", MediaType::message, ""},
        {"message/partial", MediaType::other_message, ""},
        {"multipart", MediaType::leaf, ""},
        {"", MediaType::leaf, ""},
        {"\"multipart", MediaType::leaf, ""},
    };
    for (const auto& c : cases) {
        const ContentType got = parse_content_type(c.text);
        EXPECT_EQ(got.type, c.type) << c.text;
        EXPECT_EQ(got.boundary, c.boundary) << c.text;
    }
    std::string word;
    EXPECT_EQ(parse_encoding(" (x) 8BIT\n", &word), Encoding::eight_bit);
    EXPECT_EQ(word, "8BIT");
    EXPECT_EQ(parse_encoding(""), Encoding::other);
}

// Line widths and blanks as Postfix 3.7 writes them.
TEST(quoted_printable, is_written_as_postfix_writes_it)
{
    const struct {
        std::string text, want;
    } cases[] = {
        {"h\xc3\xa4 = x\nfoo \ntab\t\n.\n", "h=C3=A4 =3D x\nfoo=20\ntab=09\n.\n"},
        {std::string(70, 'a') + "\xc3\xa4\xc3\xa4\n", std::string(70, 'a') + "=C3=\n=A4=C3=A4\n"},
        {std::string(76, 'b') + "\n", std::string(73, 'b') + "=\nbbb\n"},
        {"no end ", "no end=20"},
    };
    for (const auto& c : cases) {
        for (const std::size_t step : {1, 1000}) {
            QuotedPrintable encoder;
            std::string out;
            for (std::size_t at = 0; at < c.text.size(); at += step)
                encoder.encode(std::string_view(c.text).substr(at, step), out);
            encoder.finish(out);
            EXPECT_EQ(out, c.want);
        }
    }
}

}  // namespace
}  // namespace ekiden::mime
