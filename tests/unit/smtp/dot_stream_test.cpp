#include "smtp/dot_stream.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ekiden::smtp {
namespace {

struct Decoded {
    std::string content, rest;
    bool is_complete = false, saw_bare_newline = false;
};

// Cuts the input after every `step` bytes: chunking must never change the result.
Decoded decode(std::string_view wire, BareNewline policy, std::size_t step)
{
    DotDecoder decoder(policy);
    Decoded result;
    for (std::size_t at = 0; at < wire.size() && !result.is_complete; at += step) {
        std::string_view piece = wire.substr(at, step);
        result.is_complete = decoder.decode(piece, result.content);
        if (result.is_complete)
            result.rest = std::string(piece) + std::string(wire.substr(std::min(at + step, wire.size())));
    }
    result.saw_bare_newline = decoder.saw_bare_newline();
    return result;
}

TEST(DotDecoder, decodes_the_same_in_any_chunking)
{
    struct Case {
        const char* label;
        std::string_view wire;
        BareNewline policy;
        std::string_view content, rest;
        bool is_complete;
    };
    using enum BareNewline;
    const Case cases[] = {
        {"empty message", ".\r\nQUIT\r\n", normalize, "", "QUIT\r\n", true},
        {"plain", "a\r\nb\r\n.\r\n", normalize, "a\nb\n", "", true},
        {"stuffed", "..\r\n...two\r\n.x\r\n.\r\nNOOP\r\n", normalize, ".\n..two\nx\n", "NOOP\r\n", true},
        {"unfinished", "a\r\nb", normalize, "a\nb", "", false},
        {"unfinished with cr", "a\r", normalize, "a", "", false},
        {"dot at the end of input", "a\r\n.", normalize, "a\n", "", false},
        {"dot cr at the end of input", "a\r\n.\r", normalize, "a\n", "", false},
        {"dot inside a line", "a.\r\n.\r\n", normalize, "a.\n", "", true},
        {"nul and 8 bit", std::string_view("n\0l\xe3\r\n.\r\n", 9), normalize, std::string_view("n\0l\xe3\n", 5), "", true},
        {"cr cr lf", "a\r\r\n\r\r\r\n.\r\n", normalize, "a\n\n", "", true},
        {"cr inside", "a\rb\r\n.\r\n", normalize, "a\rb\n", "", true},
        // Every line end around the dot that some server takes for the end of data.
        {"LF.LF", "a\n.\nb\r\n.\r\n", normalize, "a\n\nb\n", "", true},
        {"LF.CRLF", "a\n.\r\nb\r\n.\r\n", normalize, "a\n\nb\n", "", true},
        {"CRLF.LF", "a\r\n.\nb\r\n.\r\n", normalize, "a\n\nb\n", "", true},
        {"CR.CR", "a\r.\rb\r\n.\r\n", normalize, "a\r.\rb\n", "", true},
        {"CR.CRLF", "a\r.\r\nb\r\n.\r\n", normalize, "a\r.\nb\n", "", true},
        {"CRLF.CR", "a\r\n.\rb\r\n.\r\n", normalize, "a\n\rb\n", "", true},
        {"CRLF.CRCRLF", "a\r\n.\r\r\nb\r\n.\r\n", normalize, "a\n\r\nb\n", "", true},
        {"LF.CR", "a\n.\rb\r\n.\r\n", normalize, "a\n\rb\n", "", true},
        {"CR.LF", "a\r.\nb\r\n.\r\n", normalize, "a\r.\nb\n", "", true},
        {"LFCR.CRLF", "a\n\r.\r\nb\r\n.\r\n", normalize, "a\n\r.\nb\n", "", true},
        {"CRLF.NUL CRLF", std::string_view("a\r\n.\0\r\nb\r\n.\r\n", 13), normalize, std::string_view("a\n\0\nb\n", 6), "", true},
        {"dot line after a dot line that ended nothing", "a\n.\r\n.\r\nNOOP\r\n", normalize, "a\n\n", "NOOP\r\n", true},
        // The old behaviour, when asked for.
        {"LF.LF accepted", "a\n.\nQUIT\r\n", accept, "a\n", "QUIT\r\n", true},
        {"LF.CRLF accepted", "a\n.\r\nQUIT\r\n", accept, "a\n", "QUIT\r\n", true},
        {"CRLF.LF accepted", "a\r\n.\nQUIT\r\n", accept, "a\n", "QUIT\r\n", true},
        {"CR.CR never", "a\r.\rb\r\n.\r\n", accept, "a\r.\rb\n", "", true},
        {"CRLF.CRCRLF never", "a\r\n.\r\r\nb\r\n.\r\n", accept, "a\n\r\nb\n", "", true},
        {"reject parses as normalize", "a\n.\r\nb\r\n.\r\n", reject, "a\n\nb\n", "", true},
    };
    for (const auto& c : cases) {
        for (std::size_t step = 1; step <= c.wire.size(); ++step) {
            const auto got = decode(c.wire, c.policy, step);
            EXPECT_EQ(got.content, c.content) << c.label << ", pieces of " << step;
            EXPECT_EQ(got.is_complete, c.is_complete) << c.label << ", pieces of " << step;
            EXPECT_EQ(got.rest, c.rest) << c.label << ", pieces of " << step;
        }
    }
}

TEST(DotDecoder, notices_bare_newlines)
{
    EXPECT_FALSE(decode("a\r\n.\r\n", BareNewline::reject, 1).saw_bare_newline);
    EXPECT_TRUE(decode("a\nb\r\n.\r\n", BareNewline::reject, 1).saw_bare_newline);
    EXPECT_TRUE(decode("a\r\n.\n", BareNewline::reject, 1).saw_bare_newline);
    EXPECT_FALSE(decode("a\rb\r\n.\r\n", BareNewline::reject, 1).saw_bare_newline);
}

// What one decoder takes for content must come out of the encoder as content: no smuggling through us.
TEST(DotEncoder, output_never_ends_data_early)
{
    const std::string_view parts[] = {"\r", "\n", ".", "a", "\r\n"};
    std::vector<std::string> inputs{""};
    for (int length = 0; length < 5; ++length) {
        const auto count = inputs.size();
        for (std::size_t i = 0; i < count; ++i) {
            for (auto part : parts) inputs.push_back(inputs[i] + std::string(part));
        }
        if (inputs.size() > 40000) break;
    }
    for (const auto& input : inputs) {
        DotDecoder decoder(BareNewline::normalize);
        std::string content, wire;
        std::string_view rest = input;
        decoder.decode(rest, content);
        DotEncoder encoder;
        encoder.encode(content, wire);
        encoder.finish(wire);
        const auto end = wire.find("\r\n.\r\n");
        if (wire.starts_with(".\r\n")) EXPECT_EQ(wire.size(), 3u) << testing::PrintToString(input);
        else EXPECT_EQ(end + 5, wire.size()) << testing::PrintToString(input);
        // Every LF in the output belongs to a CRLF.
        for (std::size_t i = 0; i < wire.size(); ++i) {
            if (wire[i] == '\n') EXPECT_TRUE(i > 0 && wire[i - 1] == '\r') << testing::PrintToString(input);
        }
    }
}

TEST(DotEncoder, encodes_the_same_in_any_chunking)
{
    struct Case {
        std::size_t limit;
        std::string content, wire;
        bool broke;
    };
    const Case cases[] = {
        {0, "", ".\r\n", false},
        {0, "a\n", "a\r\n.\r\n", false},
        {0, "a", "a\r\n.\r\n", false},
        {0, ".\n..b\nc.\n", "..\r\n...b\r\nc.\r\n.\r\n", false},
        {4, "abcd\n", "abcd\r\n.\r\n", false},
        {4, "abcdefgh\n", "abcd\r\n efg\r\n h\r\n.\r\n", true},
        {4, ".bcde\n", "..bc\r\n de\r\n.\r\n", true},
    };
    for (const auto& c : cases) {
        for (std::size_t step = 1; step <= c.content.size() + 1; ++step) {
            DotEncoder encoder(c.limit);
            std::string wire;
            for (std::size_t at = 0; at < c.content.size(); at += step)
                encoder.encode(std::string_view(c.content).substr(at, step), wire);
            encoder.finish(wire);
            EXPECT_EQ(wire, c.wire) << c.content << ", pieces of " << step;
            EXPECT_EQ(encoder.broke_lines(), c.broke) << c.content << ", pieces of " << step;
        }
    }
}

TEST(DotEncoder, plain_form_has_no_dots)
{
    const std::pair<std::string, std::string> cases[] = {{"", ""},
                                                         {".\n..b\nc.\n", ".\r\n..b\r\nc.\r\n"},
                                                         {"no end", "no end\r\n"},
                                                         {"a\rb\n", "a\rb\r\n"},
                                                         {".bcdefg\n", ".bcd\r\n efg\r\n"}};
    for (const auto& [content, want] : cases) {
        for (std::size_t step = 1; step <= content.size() + 1; ++step) {
            DotEncoder encoder(want.find(" efg") == want.npos ? 0 : 4, DotEncoder::Form::plain);
            std::string wire;
            for (std::size_t at = 0; at < content.size(); at += step)
                encoder.encode(std::string_view(content).substr(at, step), wire);
            encoder.finish(wire);
            EXPECT_EQ(wire, want) << "pieces of " << step;
        }
    }
}

TEST(ChunkDecoder, joins_line_ends_across_chunks)
{
    struct Case {
        std::string wire, content;
    };
    const Case cases[] = {
        {"", ""},
        {"a\r\n.\r\nb\r\n", "a\n.\nb\n"},
        {"no newline", "no newline\n"},
        {"a\nb\r\n", "a\nb\n"},
        {"a\r", "a\n"},
        {"a\r\rb\r\n", "a\r\rb\n"},
        {"a\r\r\nb\r\r\r\n\r\r\n", "a\nb\n\n"},
        {"\r", "\n"},
    };
    for (const auto& c : cases) {
        for (std::size_t step = 1; step <= c.wire.size() + 1; ++step) {
            ChunkDecoder decoder;
            std::string content;
            for (std::size_t at = 0; at < c.wire.size(); at += step)
                decoder.decode(std::string_view(c.wire).substr(at, step), content);
            decoder.finish(content);
            EXPECT_EQ(content, c.content) << testing::PrintToString(c.wire) << ", pieces of " << step;
        }
    }
}

}  // namespace
}  // namespace ekiden::smtp
